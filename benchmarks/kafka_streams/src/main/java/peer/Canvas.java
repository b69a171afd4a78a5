package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.OffsetDateTime;
import java.util.HexFormat;

/** A raw Canvas live event becomes a canonical one: the part of the work that intake does. */
final class Canvas {
    private static final long SHARD = 10_000_000_000_000L;
    private final ObjectMapper json = new ObjectMapper();
    private long home;

    /** Returns the canonical event, or null for other events and what cannot be read. */
    Event read(byte[] value, int partition, long offset) {
        try {
            JsonNode root = json.readTree(value);
            JsonNode about = root.has("metadata") ? root.get("metadata") : root.get("attributes");
            JsonNode body = root.has("body") ? root.get("body") : root.get("data");
            if (about == null || body == null || !about.hasNonNull("event_time")) {
                return null;
            }
            Event event = new Event();
            long course = about.path("context_id").asLong();
            home = course >= SHARD ? course / SHARD : about.path("root_account_id").asLong() / SHARD;
            switch (about.path("event_name").asText()) {
                case "course_grade_change" -> scores(event, body);
                case "grade_change" -> grade(event, body, about);
                case "grade_override" -> override(event, body);
                default -> {
                    return null;
                }
            }
            event.event_time = OffsetDateTime.parse(about.get("event_time").asText())
                .toInstant().toString();
            event.tenant = about.hasNonNull("root_account_uuid")
                ? about.get("root_account_uuid").asText()
                : about.path("root_account_id").asText("default");
            event.account_id = id(about.get("context_account_id"));
            event.updated_at = text(body.get("updated_at"));
            event.event_id = digest(event);
            event.raw_partition = partition;
            event.raw_offset = offset;
            return event.student_id == null || event.course_id == null ? null : event;
        } catch (Exception unreadable) {
            return null;
        }
    }

    private void scores(Event event, JsonNode body) {
        event.type = "course_grade_change";
        event.student_id = id(body.get("user_id"));
        event.course_id = id(body.get("course_id"));
        event.workflow_state = text(body.get("workflow_state"));
        event.current_score = number(body.get("current_score"));
        event.old_current_score = number(body.get("old_current_score"));
        event.final_score = number(body.get("final_score"));
        event.old_final_score = number(body.get("old_final_score"));
        event.unposted_current_score = number(body.get("unposted_current_score"));
        event.old_unposted_current_score = number(body.get("old_unposted_current_score"));
        event.unposted_final_score = number(body.get("unposted_final_score"));
        event.old_unposted_final_score = number(body.get("old_unposted_final_score"));
    }

    private void grade(Event event, JsonNode body, JsonNode about) {
        event.type = "grade_change";
        event.student_id = id(body.has("student_id") ? body.get("student_id") : body.get("user_id"));
        event.course_id = id(about.get("context_id"));
        event.assignment_id = id(body.get("assignment_id"));
        event.submission_id = id(body.get("submission_id"));
        event.grade = text(body.get("grade"));
        event.old_grade = text(body.get("old_grade"));
        event.score = number(body.get("score"));
        event.old_score = number(body.get("old_score"));
        event.points_possible = number(body.get("points_possible"));
        event.old_points_possible = number(body.get("old_points_possible"));
        event.muted = body.hasNonNull("muted") ? body.get("muted").asBoolean() : null;
    }

    private void override(Event event, JsonNode body) {
        event.type = "grade_override";
        event.student_id = id(body.get("user_id"));
        event.course_id = id(body.get("course_id"));
        event.enrollment_id = id(body.get("enrollment_id"));
        event.grading_period_id = id(body.get("grading_period_id"));
        event.override_score = number(body.get("override_score"));
        event.old_override_score = number(body.get("old_override_score"));
    }

    private static String digest(Event event) throws Exception {
        String content = event.type + event.row() + event.event_time + event.updated_at
            + event.workflow_state + event.current_score + event.old_current_score
            + event.final_score + event.old_final_score + event.unposted_current_score
            + event.old_unposted_current_score + event.unposted_final_score
            + event.old_unposted_final_score + event.override_score + event.old_override_score
            + event.enrollment_id + event.grading_period_id + event.assignment_id
            + event.submission_id + event.grade + event.old_grade + event.score + event.old_score
            + event.points_possible + event.old_points_possible + event.muted;
        byte[] hash = MessageDigest.getInstance("MD5").digest(content.getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(hash, 0, 8);
    }

    private String id(JsonNode value) {
        if (value == null || value.isNull()) {
            return null;
        }
        long number = value.asLong();
        return Long.toString(number / SHARD == home ? number % SHARD : number);
    }

    private static String text(JsonNode value) {
        return value == null || value.isNull() ? null : value.asText();
    }

    private static Double number(JsonNode value) {
        return value == null || value.isNull() ? null : Double.valueOf(value.asText());
    }
}

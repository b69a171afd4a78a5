package peer;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.time.Duration;
import java.time.Instant;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** A canonical event moves its row and may raise an alert: the work of our scoring agent. */
final class Scoring implements Processor<byte[], byte[], byte[], byte[]> {
    static final String STORE = "scores";
    private static final BigDecimal POINTS = BigDecimal.TEN;
    private final ObjectMapper json = new ObjectMapper();
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<String, byte[]> rows;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        this.rows = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        try {
            Event event = json.readValue(record.value(), Event.class);
            if (event.type.equals("control")) { // rules and watermarks steer our worker alone
                return;
            }
            if (event.raw_offset == null) {
                var headers = record.headers();
                event.raw_partition = number(headers.lastHeader("gradewatch.partition").value());
                event.raw_offset = (long) number(headers.lastHeader("gradewatch.offset").value());
            }
            byte[] held = rows.get(event.row());
            Row row = held == null ? new Row() : json.readValue(held, Row.class);
            byte[] alert = switch (event.type) {
                case "course_grade_change" -> scores(event, row);
                case "grade_override" -> override(event, row);
                default -> change(event, row);
            };
            rows.put(event.row(), json.writeValueAsBytes(row));
            if (alert != null) {
                context.forward(record.withValue(alert));
            }
        } catch (Exception unreadable) {
            // Ours keeps such a record with its reason; here it is enough not to die of it.
            System.err.println("passed over: " + unreadable);
        }
    }

    private byte[] scores(Event event, Row row) throws Exception {
        if (!judged(event, row)) {
            return null;
        }
        if (row.event_time == null || event.event_time.compareTo(row.event_time) > 0) {
            row.event_time = event.event_time;
            row.updated_at = event.updated_at;
            row.account_id = event.account_id;
            row.workflow_state = event.workflow_state;
            row.current_score = event.current_score;
            row.final_score = event.final_score;
            row.unposted_current_score = event.unposted_current_score;
            row.unposted_final_score = event.unposted_final_score;
        }
        if (event.old_current_score == null || event.current_score == null
            || "deleted".equals(event.workflow_state) || "deleted".equals(row.workflow_state)) {
            return null;
        }
        BigDecimal fall = decimal(event.old_current_score).subtract(decimal(event.current_score));
        return fall.compareTo(POINTS) < 0 ? null
            : alert("score_drop", event, row, event.old_current_score, event.current_score);
    }

    private byte[] override(Event event, Row row) throws Exception {
        if (!judged(event, row)) {
            return null;
        }
        boolean ofCourse = event.grading_period_id == null;
        boolean again = ofCourse && row.override_time != null
            && java.util.Objects.equals(row.override_score, event.override_score)
            && row.override_enrollment != null && event.enrollment_id != null
            && !row.override_enrollment.equals(event.enrollment_id)
            && Duration.between(Instant.parse(row.override_time), Instant.parse(event.event_time))
                .abs().getSeconds() <= 60;
        if (ofCourse && (row.override_time == null || event.event_time.compareTo(row.override_time) > 0)) {
            row.override_time = event.event_time;
            row.override_score = event.override_score;
            row.override_enrollment = event.enrollment_id;
        }
        Double baseline = ofCourse && row.current_score != null ? row.final_score : null;
        Double old = event.old_override_score == null ? baseline : event.old_override_score;
        Double now = event.override_score == null ? baseline : event.override_score;
        if (again || old == null || now == null || "deleted".equals(row.workflow_state)) {
            return null;
        }
        BigDecimal move = decimal(now).subtract(decimal(old));
        String kind = event.override_score == null ? "override_removed"
            : move.signum() > 0 ? "override_raised" : "override_lowered";
        return move.abs().compareTo(POINTS) < 0 ? null : alert(kind, event, row, old, now);
    }

    private byte[] change(Event event, Row row) {
        Row.Cause cause = new Row.Cause();
        cause.event_id = event.event_id;
        cause.event_time = event.event_time;
        cause.assignment_id = event.assignment_id;
        cause.score = event.score;
        cause.old_score = event.old_score;
        cause.points_possible = event.points_possible;
        cause.old_points_possible = event.old_points_possible;
        cause.muted = event.muted;
        cause.partition = event.raw_partition;
        cause.offset = event.raw_offset;
        row.changes.removeIf(one -> java.util.Objects.equals(one.assignment_id, cause.assignment_id));
        row.changes.add(cause);
        if (row.changes.size() > 3) {
            row.changes.remove(0);
        }
        return null;
    }

    private static boolean judged(Event event, Row row) {
        String seen = event.event_time + "/" + event.event_id;
        if (row.seen.contains(seen)) {
            return false;
        }
        row.seen.add(seen);
        if (row.seen.size() > 8) {
            row.seen.remove(0);
        }
        return true;
    }

    private byte[] alert(String kind, Event event, Row row, double before, double after)
        throws Exception {
        String change = decimal(after).subtract(decimal(before)).toPlainString();
        ObjectNode alert = json.createObjectNode();
        alert.put("alert_id", keyed(kind + event.row() + event.event_id));
        alert.put("fingerprint", keyed(kind + event.row()));
        alert.put("seq", 1).put("state", "firing").put("reason", "threshold_reached");
        alert.put("kind", kind).put("rule", kind + "-10").put("severity", "warning");
        alert.put("tenant", event.tenant).put("student_id", event.student_id);
        alert.put("course_id", event.course_id).put("view", "posted");
        alert.put("before", before).put("after", after).put("change", Double.valueOf(change));
        alert.put("threshold", 10).put("event_time", event.event_time);
        ArrayNode evidence = alert.putArray("evidence");
        evidence.addObject().put("partition", event.raw_partition).put("offset", event.raw_offset)
            .put("event", event.type).put("event_time", event.event_time)
            .put("event_id", event.event_id);
        Instant moment = Instant.parse(event.event_time);
        for (Row.Cause cause : row.changes) {
            long seconds = Duration.between(Instant.parse(cause.event_time), moment).getSeconds();
            if (seconds >= 0 && seconds <= 600) {
                evidence.addPOJO(cause);
            }
        }
        alert.put("summary", kind + ": " + change + " points (" + before + " to " + after + ")");
        return json.writeValueAsBytes(alert);
    }

    private static String keyed(String content) throws Exception {
        byte[] bytes = content.getBytes(StandardCharsets.UTF_8);
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes), 0, 16);
    }

    private static BigDecimal decimal(double value) {
        return BigDecimal.valueOf(value);
    }

    private static int number(byte[] text) {
        return Integer.parseInt(new String(text, StandardCharsets.US_ASCII));
    }
}

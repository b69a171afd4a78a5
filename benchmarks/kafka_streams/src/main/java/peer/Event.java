package peer;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonInclude;

/** A canonical grade event: what stands on grade-events, the fields that this job uses. */
@JsonIgnoreProperties(ignoreUnknown = true)
@JsonInclude(JsonInclude.Include.NON_NULL)
public class Event {
    public String type;
    public String event_id;
    public String tenant;
    public String student_id;
    public String course_id;
    public String event_time;
    public String account_id;
    public String updated_at;
    public String workflow_state;
    public Double current_score, old_current_score, final_score, old_final_score;
    public Double unposted_current_score, old_unposted_current_score;
    public Double unposted_final_score, old_unposted_final_score;
    public Double override_score, old_override_score;
    public String enrollment_id, grading_period_id;
    public String assignment_id, submission_id, grade, old_grade;
    public Double score, old_score, points_possible, old_points_possible;
    public Boolean muted;
    /** Where on the raw topic it came from: what an alert's evidence points to. */
    public Integer raw_partition;
    public Long raw_offset;

    String student() {
        return tenant + ":" + student_id;
    }

    String row() {
        return tenant + ":" + student_id + ":" + course_id;
    }
}

package peer;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayList;
import java.util.List;

/** One student in one course: the facts that our row keeps, too. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public class Row {
    public String account_id, event_time, updated_at, workflow_state;
    public Double current_score, final_score, unposted_current_score, unposted_final_score;
    public Double override_score;
    public String override_time, override_enrollment;
    /** The last eight events that were judged: Canvas repeats itself. */
    public List<String> seen = new ArrayList<>();
    /** The last three grade changes, as likely causes of the next alert. */
    public List<Cause> changes = new ArrayList<>();

    @JsonInclude(JsonInclude.Include.NON_NULL)
    public static class Cause {
        public String event_id, event_time, assignment_id;
        public Double score, old_score, points_possible, old_points_possible;
        public Boolean muted;
        public Integer partition;
        public Long offset;
    }
}

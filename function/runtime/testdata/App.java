import com.amazonaws.services.lambda.runtime.Context;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/** A Lambda function that does what the values of its records say. */
public class App {
    @SuppressWarnings("unchecked")
    public static Object handle(Map<String, Object> event, Context context) {
        var failures = new ArrayList<Object>();
        for (var records : ((Map<String, List<Map<String, Object>>>) event.get("records")).values()) {
            for (var record : records) {
                var words = new String(Base64.getDecoder().decode((String) record.get("value"))).split(" ", 2);
                switch (words[0]) {
                    case "fail":
                        throw new IllegalStateException("bad record " + words[1]);
                    case "recurse":
                        return handle(event, context);
                    case "exit":
                        System.exit(Integer.parseInt(words[1]));
                        break;
                    case "print":
                        System.out.println(words[1]);
                        break;
                    case "item":
                        failures.add(Map.of("itemIdentifier",
                            Map.of("partition", record.get("topic") + "-" + record.get("partition"), "offset", record.get("offset"))));
                        break;
                }
            }
        }
        return Map.of("batchItemFailures", failures);
    }
}

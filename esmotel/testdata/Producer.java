import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.ContextPropagators;
import io.opentelemetry.instrumentation.kafkaclients.v2_6.KafkaTelemetry;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.trace.ReadWriteSpan;
import io.opentelemetry.sdk.trace.ReadableSpan;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.SpanProcessor;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Produces a record to a topic of a cluster with OpenTelemetry's instrumentation, and prints "span" and the ids of its span. */
public class Producer {
  public static void main(String[] args) throws Exception {
    SpanProcessor printer = new SpanProcessor() {
      @Override public void onStart(Context context, ReadWriteSpan span) {}
      @Override public boolean isStartRequired() { return false; }
      @Override public void onEnd(ReadableSpan span) {
        System.out.println("span " + span.getSpanContext().getTraceId() + "-" + span.getSpanContext().getSpanId());
      }
      @Override public boolean isEndRequired() { return true; }
    };
    OpenTelemetrySdk sdk = OpenTelemetrySdk.builder()
        .setTracerProvider(SdkTracerProvider.builder().addSpanProcessor(printer).build())
        .setPropagators(ContextPropagators.create(W3CTraceContextPropagator.getInstance())).build();
    Properties properties = new Properties();
    properties.put("bootstrap.servers", args[0]);
    properties.put("key.serializer", StringSerializer.class.getName());
    properties.put("value.serializer", StringSerializer.class.getName());
    try (var producer = KafkaTelemetry.create(sdk).wrap(new KafkaProducer<String, String>(properties))) {
      producer.send(new ProducerRecord<>(args[1], "from Java")).get();
    }
    sdk.close();
  }
}

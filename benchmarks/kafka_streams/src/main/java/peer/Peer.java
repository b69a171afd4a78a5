package peer;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;

/**
 * Our job as a Kafka Streams application: {@code Peer servers application-id keyed|whole source
 * alerts threads guarantee state-dir}. "keyed" reads canonical events keyed by student; "whole"
 * reads the raw topic and goes through a repartition topic.
 */
public final class Peer {
    private Peer() {}

    public static void main(String[] told) {
        var bytes = Serdes.ByteArray();
        var builder = new StreamsBuilder();
        // In memory, as our table is: RocksDB would only slow it down. Its changelog stays.
        builder.addStateStore(Stores.keyValueStoreBuilder(
            Stores.inMemoryKeyValueStore(Scoring.STORE), Serdes.String(), bytes));
        KStream<byte[], byte[]> source = builder.stream(told[3], Consumed.with(bytes, bytes));
        if (told[2].equals("whole")) {
            source = source.process(Intake::new)
                .repartition(Repartitioned.with(bytes, bytes).withName("events")
                    .withNumberOfPartitions(4));
        }
        source.process(Scoring::new, Scoring.STORE).to(told[4], Produced.with(bytes, bytes));
        var streams = new KafkaStreams(builder.build(), settings(told));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Properties settings(String[] told) {
        var set = new Properties();
        set.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, told[0]);
        set.put(StreamsConfig.APPLICATION_ID_CONFIG, told[1]);
        set.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, told[5]);
        set.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, told[6]);
        set.put(StreamsConfig.STATE_DIR_CONFIG, told[7]);
        set.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
        set.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100"); // its own default with EOS
        // Without the cache every update of a row goes to the changelog; ours writes one a batch.
        set.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Long.toString(64L << 20));
        set.put(StreamsConfig.METADATA_MAX_AGE_CONFIG, "5000");
        // Bigger fetches and batches than the defaults, as an operator after throughput would set.
        set.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), "5000");
        set.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), "8388608");
        set.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        set.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), "10000");
        set.put(StreamsConfig.consumerPrefix(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG), "2000");
        // A static member, as ours is: one that comes back is given its partitions at once.
        set.put(StreamsConfig.consumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG), "peer");
        set.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), "524288");
        set.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), "20");
        set.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), "67108864");
        set.put(StreamsConfig.producerPrefix(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG), "10000");
        return set;
    }

    /** Raw event to canonical event, keyed by student. */
    private static final class Intake extends ContextualProcessor<byte[], byte[], byte[], byte[]> {
        private final Canvas canvas = new Canvas();
        private final ObjectMapper json = new ObjectMapper();

        @Override
        public void process(Record<byte[], byte[]> record) {
            var at = context().recordMetadata().orElseThrow();
            Event event = canvas.read(record.value(), at.partition(), at.offset());
            if (event == null) {
                return;
            }
            try {
                byte[] key = event.student().getBytes(StandardCharsets.UTF_8);
                context().forward(record.withKey(key).withValue(json.writeValueAsBytes(event)));
            } catch (com.fasterxml.jackson.core.JsonProcessingException unwritable) {
                throw new IllegalStateException(unwritable);
            }
        }
    }
}

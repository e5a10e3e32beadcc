//go:build cgo

// Compares the structs of queue_structs.h with librdkafka's own header, where that is on the include path.
#if defined(__has_include)
#if __has_include(<librdkafka/rdkafka.h>)
#include <librdkafka/rdkafka.h>
#define ESM_HAS_HEADER
#elif __has_include(<rdkafka.h>)
#include <rdkafka.h>
#define ESM_HAS_HEADER
#endif
#endif

#ifdef ESM_HAS_HEADER
#include "queue_structs.h"

#define ESM_SAME(ours, theirs, field)                                                                   \
	_Static_assert(offsetof(ours, field) == offsetof(theirs, field) &&                                  \
	                       sizeof(((ours *)0)->field) == sizeof(((theirs *)0)->field),                  \
	               #theirs "." #field " is not where the queue reader looks for it")

ESM_SAME(esm_message, rd_kafka_message_t, err);
ESM_SAME(esm_message, rd_kafka_message_t, rkt);
ESM_SAME(esm_message, rd_kafka_message_t, partition);
ESM_SAME(esm_message, rd_kafka_message_t, payload);
ESM_SAME(esm_message, rd_kafka_message_t, len);
ESM_SAME(esm_message, rd_kafka_message_t, key);
ESM_SAME(esm_message, rd_kafka_message_t, key_len);
ESM_SAME(esm_message, rd_kafka_message_t, offset);
_Static_assert(sizeof(esm_message) == sizeof(rd_kafka_message_t), "rd_kafka_message_t has another size");
ESM_SAME(esm_partition, rd_kafka_topic_partition_t, topic);
ESM_SAME(esm_partition, rd_kafka_topic_partition_t, partition);
ESM_SAME(esm_partition, rd_kafka_topic_partition_t, offset);
ESM_SAME(esm_partition, rd_kafka_topic_partition_t, err);
_Static_assert(sizeof(esm_partition) == sizeof(rd_kafka_topic_partition_t), "rd_kafka_topic_partition_t has another size");
ESM_SAME(esm_partition_list, rd_kafka_topic_partition_list_t, cnt);
ESM_SAME(esm_partition_list, rd_kafka_topic_partition_list_t, elems);
#elif defined(ESM_NEEDS_HEADER)
#error "rdkafka.h is not on the include path"
#endif

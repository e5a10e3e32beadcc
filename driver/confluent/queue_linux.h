// Reads many records of librdkafka's queue in one call. The declarations are those of librdkafka's rdkafka.h, whose
// binary interface is stable; they are weak, because the library is linked with confluent-kafka-go and not with this
// package.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue_structs.h"

#define ESM_WEAK __attribute__((weak))

ESM_WEAK rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *, int timeout_ms);
ESM_WEAK int rd_kafka_event_type(const rd_kafka_event_t *);
ESM_WEAK const esm_message *rd_kafka_event_message_next(rd_kafka_event_t *);
ESM_WEAK void rd_kafka_event_destroy(rd_kafka_event_t *);
ESM_WEAK int rd_kafka_event_error(rd_kafka_event_t *);
ESM_WEAK const char *rd_kafka_event_error_string(rd_kafka_event_t *);
ESM_WEAK int rd_kafka_event_error_is_fatal(rd_kafka_event_t *);
ESM_WEAK esm_partition *rd_kafka_event_topic_partition(rd_kafka_event_t *);
ESM_WEAK void rd_kafka_topic_partition_destroy(esm_partition *);
ESM_WEAK esm_partition_list *rd_kafka_event_topic_partition_list(rd_kafka_event_t *);
ESM_WEAK int rd_kafka_fatal_error(rd_kafka_t *, char *errstr, size_t size);
ESM_WEAK const char *rd_kafka_topic_name(const rd_kafka_topic_t *);
ESM_WEAK int64_t rd_kafka_message_timestamp(const esm_message *, int *type);
ESM_WEAK int32_t rd_kafka_message_leader_epoch(const esm_message *);
ESM_WEAK int rd_kafka_message_headers(const esm_message *, rd_kafka_headers_t **);
ESM_WEAK size_t rd_kafka_header_cnt(const rd_kafka_headers_t *);
ESM_WEAK int rd_kafka_header_get_all(const rd_kafka_headers_t *, size_t i, const char **name, const void **value, size_t *size);

ESM_WEAK const char *rd_kafka_event_config_string(rd_kafka_event_t *);
ESM_WEAK const char *rd_kafka_event_name(const rd_kafka_event_t *);

enum { ESM_EVENT_OAUTHBEARER_TOKEN_REFRESH = 0x100 };
enum { ESM_EVENT_FETCH = 0x2, ESM_EVENT_ERROR = 0x8, ESM_EVENT_REBALANCE = 0x10 };
enum { ESM_CREATE_TIME = 1, ESM_LOG_APPEND_TIME = 2 };

// esm_record is what is wanted of a record; what it points to lives as long as its event.
typedef struct {
	const esm_message *message;
	rd_kafka_event_t *event;
	const char *topic;
	size_t topic_length;
	rd_kafka_headers_t *headers;
	size_t header_count;
	int64_t timestamp;
	int timestamp_type;
	int32_t leader_epoch;
} esm_record;

typedef struct {
	const char *name;
	size_t name_length;
	const void *value;
	size_t size;
} esm_header;

static int esm_available(void) {
	return rd_kafka_queue_poll && rd_kafka_event_type && rd_kafka_event_message_next && rd_kafka_event_destroy &&
	       rd_kafka_event_error && rd_kafka_event_error_string && rd_kafka_event_error_is_fatal &&
	       rd_kafka_event_topic_partition && rd_kafka_topic_partition_destroy && rd_kafka_event_topic_partition_list &&
	       rd_kafka_fatal_error && rd_kafka_topic_name && rd_kafka_message_timestamp && rd_kafka_message_leader_epoch &&
	       rd_kafka_message_headers && rd_kafka_header_cnt && rd_kafka_header_get_all && rd_kafka_event_config_string && rd_kafka_event_name;
}

// esm_poll takes up to max records, fewer where bytes are reached, and stops at the first event that is none, which
// goes into other. Only the first event is waited for.
static int esm_poll(rd_kafka_queue_t *queue, int timeout_ms, esm_record *records, int max, int64_t bytes,
                    rd_kafka_event_t **other) {
	int n = 0;
	*other = NULL;
	while (n < max && (n == 0 || bytes > 0)) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, n == 0 ? timeout_ms : 0);
		if (!event)
			break;
		if (rd_kafka_event_type(event) != ESM_EVENT_FETCH) {
			*other = event;
			break;
		}
		esm_record *r = &records[n];
		r->message = rd_kafka_event_message_next(event);
		if (!r->message) {
			rd_kafka_event_destroy(event);
			continue;
		}
		r->event = event;
		r->topic = r->message->rkt ? rd_kafka_topic_name(r->message->rkt) : "";
		r->topic_length = strlen(r->topic);
		r->timestamp = rd_kafka_message_timestamp(r->message, &r->timestamp_type);
		r->leader_epoch = rd_kafka_message_leader_epoch(r->message);
		r->header_count = 0;
		if (rd_kafka_message_headers(r->message, &r->headers) == 0)
			r->header_count = rd_kafka_header_cnt(r->headers);
		bytes -= (int64_t)(r->message->len + r->message->key_len);
		n++;
	}
	return n;
}

static void esm_done(esm_record *records, int n) {
	for (int i = 0; i < n; i++)
		rd_kafka_event_destroy(records[i].event);
}

// esm_headers also finds how long names are: librdkafka gives them as C strings and keeps a header's value right behind the
// name's last byte, a NUL of its own, so that a name that has a NUL in it can be told where there is a value.
static void esm_headers(const rd_kafka_headers_t *headers, esm_header *out, size_t n) {
	for (size_t i = 0; i < n; i++) {
		esm_header *h = &out[i];
		if (rd_kafka_header_get_all(headers, i, &h->name, &h->value, &h->size) != 0)
			h->name = "", h->value = NULL, h->size = 0;
		h->name_length = strlen(h->name);
		uintptr_t from = (uintptr_t)h->name + h->name_length + 1, to = (uintptr_t)h->value;
		if (h->value && to > from && to - from <= 32768 && ((const char *)h->value)[-1] == 0)
			h->name_length = (size_t)(to - (uintptr_t)h->name) - 1;
	}
}

//go:build cgo

package confluent

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/rdkafka"
)

// errClosed is the error of every call after Close.
var errClosed = errors.New("confluent: the consumer is closed")

// kindOf classifies librdkafka's error codes by what the engine does about them. The codes are those of librdkafka
// 2.11.
func kindOf(err error) driver.Kind {
	var e kafka.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return driver.KindUnavailable
		}
		return driver.KindOther
	}
	switch e.Code() {
	case kafka.ErrTransport, kafka.ErrResolve, kafka.ErrAllBrokersDown, kafka.ErrTimedOut, kafka.ErrMsgTimedOut,
		kafka.ErrWaitCoord, kafka.ErrWaitCache, kafka.ErrDestroyBroker, kafka.ErrRequestTimedOut, kafka.ErrNetworkException,
		kafka.ErrBrokerNotAvailable, kafka.ErrLeaderNotAvailable, kafka.ErrNotLeaderForPartition,
		kafka.ErrReplicaNotAvailable, kafka.ErrKafkaStorageError, kafka.ErrCoordinatorNotAvailable,
		kafka.ErrCoordinatorLoadInProgress, kafka.ErrNotCoordinator, kafka.ErrFencedLeaderEpoch, kafka.ErrUnknownLeaderEpoch,
		kafka.ErrOffsetNotAvailable, kafka.ErrUnstableOffsetCommit, kafka.ErrNodeUpdate:
		return driver.KindUnavailable
	case kafka.ErrAuthentication, kafka.ErrSsl, kafka.ErrSaslAuthenticationFailed, kafka.ErrUnsupportedSaslMechanism,
		kafka.ErrIllegalSaslState, kafka.ErrSecurityDisabled:
		return driver.KindAuthentication
	case kafka.ErrTopicAuthorizationFailed, kafka.ErrGroupAuthorizationFailed, kafka.ErrClusterAuthorizationFailed:
		return driver.KindAuthorization
	case kafka.ErrOffsetOutOfRange, kafka.ErrAutoOffsetReset, kafka.ErrLogTruncation:
		return driver.KindOffsetOutOfRange
	case kafka.ErrUnknownTopicOrPart, kafka.ErrUnknownTopic, kafka.ErrUnknownPartition, kafka.ErrUnknownTopicID,
		kafka.ErrTopicException:
		return driver.KindUnknownTopic
	case kafka.ErrMaxPollExceeded:
		return driver.KindMaxPollExceeded
	case kafka.ErrFencedInstanceID, kafka.ErrFenced:
		return driver.KindFenced
	case kafka.ErrInconsistentGroupProtocol:
		return driver.KindGroupProtocol
	case kafka.ErrIllegalGeneration, kafka.ErrUnknownMemberID, kafka.ErrRebalanceInProgress, kafka.ErrAssignmentLost,
		kafka.ErrStaleMemberEpoch, kafka.ErrFencedMemberEpoch:
		return driver.KindStaleMember
	case kafka.ErrBadMsg, kafka.ErrBadCompression, kafka.ErrInvalidMsg:
		return driver.KindCorrupt
	case kafka.ErrMsgSizeTooLarge, kafka.ErrInvalidMsgSize, kafka.ErrRecordListTooLarge:
		return driver.KindTooLarge
	case kafka.ErrInvalidArg, kafka.ErrInvalidConfig, kafka.ErrInvalidSessionTimeout, kafka.ErrInvalidGroupID,
		kafka.ErrUnsupportedVersion:
		return driver.KindInvalidConfig
	}
	return driver.KindOther
}

// classed converts an error of librdkafka, about a partition or about none, into a driver.Error.
func classed(tp driver.TopicPartition, err error) *driver.Error {
	return &driver.Error{Kind: kindOf(err), TopicPartition: tp, Broker: brokerOf(err), Offset: -1, Err: explain(err)}
}

// brokerName matches the prefix of librdkafka's errors about a broker: "sasl_ssl://host:9094/1: ".
var brokerName = regexp.MustCompile(`^[a-z_]+://([^/ ]+:[0-9]+)/`)

func brokerOf(err error) string {
	if e, ok := errors.AsType[kafka.Error](err); ok {
		if match := brokerName.FindStringSubmatch(e.String()); match != nil {
			return match[1]
		}
	}
	return ""
}

// explained is an error of librdkafka in a form that auth.Classify can read without cgo.
type explained struct {
	error
	client rdkafka.Error
}

func (e *explained) Unwrap() []error { return []error{e.error, &e.client} }

// explain converts an error of librdkafka for auth.Classify.
func explain(err error) error {
	var e kafka.Error
	if !errors.As(err, &e) {
		return err
	}
	return &explained{err, rdkafka.Error{Code: int(e.Code()), Name: e.Code().String(), Text: e.Error()}}
}

// classify converts an error event into a driver.Error.
func (c *consumer) classify(err kafka.Error) *driver.Error {
	e := classed(driver.TopicPartition{}, err)
	switch e.Kind {
	case driver.KindUnknownTopic, driver.KindAuthorization:
		if topic, ok := topicOf(err.String()); ok {
			e.TopicPartition = driver.TopicPartition{Topic: topic, Partition: -1}
		}
	case driver.KindGroupProtocol:
		e.Err = fmt.Errorf("the members of group %q share no partition.assignment.strategy with this one's %q: give this"+
			" one theirs with confluent.WithConfig, or stop the others; if the group is a share group or of another kind"+
			" (see kafka-groups.sh --list), choose another ConsumerGroupId: %w", c.group, c.strategy, err)
	}
	return e
}

// topicOf finds the topic in librdkafka's text: an error event has no field for it.
func topicOf(text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, "Subscribed topic not available: ")
	if !ok {
		return "", false
	}
	topic, _, ok := strings.Cut(rest, ": ")
	return topic, ok
}

// reported remembers which conditions were reported, so that each is reported once until it changes: librdkafka repeats
// an error with every connection attempt. It belongs to the poll goroutine.
type reported struct {
	seen map[condition]time.Time
	// down says that unavailability was reported and no data has arrived since.
	down bool
}

// condition identifies equal errors. The text does not count: it holds counters and times.
type condition struct {
	kind driver.Kind
	tp   driver.TopicPartition
	code kafka.ErrorCode
	// token: there is no token, which open connections do not notice yet. What brokers refuse because of it is a separate
	// condition.
	token bool
}

// repeatAfter is how long a condition must be quiet before it counts as new. librdkafka repeats a lasting one about
// every 30 s.
const repeatAfter = time.Minute

func newReported() *reported { return &reported{seen: make(map[condition]time.Time)} }

// first reports whether the error is new.
func (r *reported) first(e *driver.Error, now time.Time) bool {
	key := condition{kind: e.Kind, tp: e.TopicPartition}
	var ke kafka.Error
	errors.As(e.Err, &ke)
	switch {
	case e.Kind == driver.KindUnavailable && ke.Code() == kafka.ErrAllBrokersDown:
		// This summarizes earlier errors. It is new only if data has arrived in between, from brokers that were still up.
		news := !r.down
		r.down = true
		return news
	case e.Kind == driver.KindUnavailable:
		// One cause produces several codes. Data from another broker says nothing about the one that failed.
		r.down = true
		_, noToken := errors.AsType[*auth.TokenError](e.Err)
		key.token = noToken && e.Broker == ""
	case e.Kind == driver.KindAuthentication:
	default:
		key.code = ke.Code()
	}
	last, ok := r.seen[key]
	r.seen[key] = now
	return !ok || now.Sub(last) > repeatAfter
}

// data forgets the conditions that records of a topic disprove.
func (r *reported) data(topic string) {
	r.down = false
	if len(r.seen) == 0 {
		return
	}
	for key := range r.seen {
		if key.kind == driver.KindAuthentication || key.tp.Topic == topic {
			delete(r.seen, key)
		}
	}
}

// joined forgets the conditions that an assignment disproves.
func (r *reported) joined(topics []driver.TopicPartition) {
	for key := range r.seen {
		switch key.kind {
		case driver.KindGroupProtocol, driver.KindMaxPollExceeded, driver.KindAuthentication, driver.KindAuthorization:
			if key.tp.Topic == "" {
				delete(r.seen, key)
			}
		}
		for _, tp := range topics {
			if key.tp.Topic == tp.Topic {
				delete(r.seen, key)
			}
		}
	}
}

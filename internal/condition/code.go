package condition

import (
	"errors"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe"
)

// ErrorCode returns the Java client's name of an error if it has one, otherwise the diagnosis' code or the Op.
func ErrorCode(i *observe.ErrorInfo) string {
	if e, ok := errors.AsType[*driver.Error](i.Err); ok {
		names := map[driver.Kind]string{
			driver.KindUnavailable: "TimeoutException", driver.KindAuthentication: "SaslAuthenticationException", driver.KindOffsetOutOfRange: "OffsetOutOfRangeException",
			driver.KindUnknownTopic: "UnknownTopicOrPartitionException", driver.KindFenced: "FencedInstanceIdException", driver.KindTruncated: "OffsetOutOfRangeException",
			driver.KindGroupProtocol: "InconsistentGroupProtocolException", driver.KindStaleMember: "RebalanceInProgressException",
			driver.KindCorrupt: "CorruptRecordException", driver.KindTooLarge: "RecordTooLargeException", driver.KindAuthorization: "GroupAuthorizationException",
		}
		if e.Kind == driver.KindAuthorization && e.TopicPartition.Topic != "" {
			return "org.apache.kafka.common.errors.TopicAuthorizationException"
		}
		if name := names[e.Kind]; name != "" {
			return "org.apache.kafka.common.errors." + name
		}
	}
	if i.Diagnosis.Code != "" {
		return string(i.Diagnosis.Code)
	}
	return string(i.Op)
}

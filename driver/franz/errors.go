package franz

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
)

// classify wraps a client's error with its kind.
func (c *consumer) classify(err error) *driver.Error {
	return &driver.Error{Kind: kindOf(err), Offset: -1, Err: err}
}

// wholeTopic is the Error.TopicPartition of what is about a topic.
func wholeTopic(topic string) driver.TopicPartition {
	return driver.TopicPartition{Topic: topic, Partition: -1}
}

// brokerKinds classes the codes that a broker answers.
var brokerKinds = map[int16]driver.Kind{
	kerr.OffsetOutOfRange.Code:           driver.KindOffsetOutOfRange,
	kerr.UnknownTopicOrPartition.Code:    driver.KindUnknownTopic,
	kerr.UnknownTopicID.Code:             driver.KindUnknownTopic,
	kerr.InvalidTopicException.Code:      driver.KindUnknownTopic,
	kerr.InconsistentTopicID.Code:        driver.KindTopicRecreated,
	kerr.SaslAuthenticationFailed.Code:   driver.KindAuthentication,
	kerr.UnsupportedSaslMechanism.Code:   driver.KindAuthentication,
	kerr.IllegalSaslState.Code:           driver.KindAuthentication,
	kerr.TopicAuthorizationFailed.Code:   driver.KindAuthorization,
	kerr.GroupAuthorizationFailed.Code:   driver.KindAuthorization,
	kerr.ClusterAuthorizationFailed.Code: driver.KindAuthorization,
	kerr.FencedInstanceID.Code:           driver.KindFenced,
	kerr.UnreleasedInstanceID.Code:       driver.KindFenced,
	kerr.InconsistentGroupProtocol.Code:  driver.KindGroupProtocol,
	kerr.IllegalGeneration.Code:          driver.KindStaleMember,
	kerr.UnknownMemberID.Code:            driver.KindStaleMember,
	kerr.RebalanceInProgress.Code:        driver.KindStaleMember,
	kerr.StaleMemberEpoch.Code:           driver.KindStaleMember,
	kerr.FencedMemberEpoch.Code:          driver.KindStaleMember,
	kerr.InvalidSessionTimeout.Code:      driver.KindInvalidConfig,
	kerr.InvalidGroupID.Code:             driver.KindInvalidConfig,
	kerr.OffsetMetadataTooLarge.Code:     driver.KindInvalidConfig,
	kerr.GroupMaxSizeReached.Code:        driver.KindInvalidConfig,
	kerr.CoordinatorNotAvailable.Code:    driver.KindUnavailable,
	kerr.CoordinatorLoadInProgress.Code:  driver.KindUnavailable,
	kerr.NotCoordinator.Code:             driver.KindUnavailable,
	kerr.NotLeaderForPartition.Code:      driver.KindUnavailable,
	kerr.LeaderNotAvailable.Code:         driver.KindUnavailable,
	kerr.ReplicaNotAvailable.Code:        driver.KindUnavailable,
	kerr.BrokerNotAvailable.Code:         driver.KindUnavailable,
	kerr.OffsetNotAvailable.Code:         driver.KindUnavailable,
	kerr.NetworkException.Code:           driver.KindUnavailable,
	kerr.RequestTimedOut.Code:            driver.KindUnavailable,
	kerr.KafkaStorageError.Code:          driver.KindUnavailable,
	kerr.FencedLeaderEpoch.Code:          driver.KindUnavailable,
	kerr.UnknownLeaderEpoch.Code:         driver.KindUnavailable,
	kerr.UnstableOffsetCommit.Code:       driver.KindUnavailable,
	kerr.ThrottlingQuotaExceeded.Code:    driver.KindUnavailable,
}

func kindOf(err error) driver.Kind {
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return brokerKinds[e.Code] // KindOther is 0
	}
	if isTLS(err) {
		return driver.KindAuthentication
	}
	if _, ok := errors.AsType[*kgo.ErrFirstReadEOF](err); ok {
		// The broker hung up on the first request: TLS or SASL is on at one end only, says kgo, or this broker is
		// going down; hooks.OnBrokerConnect tells them apart.
		return driver.KindAuthentication
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || kgo.IsRetryableBrokerErr(err) {
		return driver.KindUnavailable
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "sasl"), strings.Contains(text, "SASL"), strings.Contains(text, "SCRAM"), strings.Contains(text, "scram"):
		return driver.KindAuthentication // kgo's mechanisms return plain errors
	case strings.Contains(text, "unable to dial"), strings.Contains(text, "unknown broker"), strings.Contains(text, "unable to negotiate"):
		return driver.KindUnavailable
	}
	return driver.KindOther
}

// isTLS says whether a handshake failed, on either side.
func isTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		header       tls.RecordHeaderError
		alert        tls.AlertError
		invalid      x509.CertificateInvalidError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
	)
	return errors.As(err, &verification) || errors.As(err, &header) || errors.As(err, &alert) || errors.As(err, &invalid) ||
		errors.As(err, &authority) || errors.As(err, &host) ||
		// An alert of the other side is a net.OpError around an unexported type.
		strings.Contains(err.Error(), "remote error: tls: ")
}

// RecreatedError names a topic that was deleted and made again, with its ids.
type RecreatedError struct {
	Topic   string
	Was, Is [16]byte
}

// Error says which topic it is.
func (e *RecreatedError) Error() string {
	return fmt.Sprintf("topic %s was deleted and made again: its id was %x and is %x", e.Topic, e.Was, e.Is)
}

package franz

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
)

// classify wraps a client's error with its kind.
func (c *consumer) classify(err error) *driver.Error {
	if hungUp(err) && c.refusedUs() {
		err = fmt.Errorf("%w: the broker hung up on the user name or the password: %w", kerr.SaslAuthenticationFailed, err)
	}
	kind := kindOf(err)
	if errors.Is(err, io.EOF) && !c.served.Load() && kind != driver.KindAuthentication {
		// Once a broker has served us, the same error means that it is shutting down.
		kind = driver.KindAuthentication
		err = fmt.Errorf("the broker hung up on the first requests: credentials, or TLS or SASL at one end only: %w", err)
	}
	if kind == driver.KindGroupProtocol {
		err = fmt.Errorf("the members of group %q share no group protocol with this one: give this one theirs with"+
			" franz.WithOpts(kgo.Balancers(...)), or stop the others; if the group is a share group or of another kind"+
			" (see kafka-groups.sh --list), choose another ConsumerGroupId: %w", c.cfg.GroupID, err)
	}
	return &driver.Error{Kind: kind, Offset: -1, Err: err}
}

// hungUp reports whether the other side closed a connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// refusedUs reports whether brokers hang up on SASL, as brokers before Kafka 1.0 and some others do on a wrong
// password. A broker that shuts down hangs up too, but rarely several times in a row, and not before any broker has
// served us.
func (c *consumer) refusedUs() bool {
	n := c.saslHangUps.Load()
	return n > 2 || n > 0 && !c.served.Load()
}

// wholeTopic is the Error.TopicPartition of an error about a whole topic.
func wholeTopic(topic string) driver.TopicPartition {
	return driver.TopicPartition{Topic: topic, Partition: -1}
}

// brokerKinds classifies a broker's error codes.
var brokerKinds = map[int16]driver.Kind{
	kerr.OffsetOutOfRange.Code:           driver.KindOffsetOutOfRange,
	kerr.CorruptMessage.Code:             driver.KindCorrupt,
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
	kerr.MessageTooLarge.Code:            driver.KindTooLarge,
	kerr.RecordListTooLarge.Code:         driver.KindTooLarge,
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
	if kind, ok := tokenKind(err); ok {
		return kind
	}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return brokerKinds[e.Code] // KindOther is 0
	}
	if isTLS(err) {
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

// isTLS reports whether a TLS handshake failed, on either side.
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
		// An alert from the other side is a net.OpError around an unexported type.
		strings.Contains(err.Error(), "remote error: tls: ")
}

// RecreatedError names a topic that was deleted and recreated, with both IDs.
type RecreatedError = driver.RecreatedError

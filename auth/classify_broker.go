package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Error codes of the Kafka protocol. librdkafka passes the broker's codes on under the same numbers.
const (
	brokerUnknownTopic       = 3
	brokerTopicAuthorization = 29
	brokerGroupAuthorization = 30
	brokerClusterAuthz       = 31
	brokerMechanism          = 33
	brokerSASLState          = 34
	brokerSASLAuthentication = 58
)

// classifyBroker classifies a broker's error that has a code of the protocol.
func (f facts) classifyBroker(err error) Diagnosis {
	var broker *kerr.Error
	if !errors.As(err, &broker) {
		return Diagnosis{}
	}
	return f.brokerCode(int(broker.Code), err.Error())
}

func (f facts) brokerCode(code int, seen string) Diagnosis {
	denied := func(cause Cause, what, name, operations string) Diagnosis {
		if name != "" {
			what += " " + fmt.Sprintf("%.250q", name)
		}
		return Diagnosis{Text: TextClusterAuthorize, Code: CodeAuthzError, Cause: cause,
			Detail: f.principal() + " lacks an ACL on the " + what,
			Hint:   "allow " + operations + " on it; a name in an ACL is exact unless its pattern is PREFIXED"}
	}
	switch code {
	case brokerTopicAuthorization:
		return denied(CauseTopicACL, "topic", f.Topic, "Describe and Read")
	case brokerGroupAuthorization:
		return denied(CauseGroupACL, "group", f.Group, "Describe and Read")
	case brokerClusterAuthz:
		return denied(CauseClusterACL, "cluster", "", "DescribeConfigs")
	case brokerSASLAuthentication:
		return f.saslRefused(seen)
	case brokerMechanism:
		return f.mechanismRefused(seen)
	case brokerSASLState:
		return Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: CauseSASLState,
			Detail: "the broker did not expect SASL now", Hint: "check that the port is the broker's SASL_SSL listener"}
	case brokerUnknownTopic:
		topic := "the topic"
		if f.Topic != "" {
			topic = fmt.Sprintf("topic %.250q", f.Topic)
		}
		return connection(CauseTopicMissing, topic+" does not exist, or "+f.principal()+" may not describe it",
			"create it, or allow Describe and Read on it")
	}
	return Diagnosis{}
}

// principal names the principal that the broker sees, as far as it is known.
func (f facts) principal() string {
	if f.Credentials == nil {
		return "the principal"
	}
	name := f.Credentials.Principal()
	switch {
	case name == "":
		return "the principal of the token"
	case len(name) > maxPrincipal: // whole or not at all: an ACL needs the exact name
		return "the principal"
	}
	return "principal " + name
}

// maxPrincipal bounds the length of a principal in a message.
const maxPrincipal = 1000

func (f facts) hasCertificate() bool {
	return f.Credentials != nil && len(f.Credentials.Certificate) > 0
}

func (f facts) mechanism() string {
	if f.Credentials != nil && f.Credentials.Mechanism != "" {
		return string(f.Credentials.Mechanism)
	}
	return "the SASL mechanism"
}

func (f facts) saslRefused(seen string) Diagnosis {
	switch {
	case strings.Contains(seen, "Cannot change principals during re-authentication"):
		return connection(CauseDisconnected, "the broker ends connections whose user has changed", "nothing to do: the next connection uses the new user")
	case f.Credentials != nil && f.Credentials.Mechanism == MechanismOAuthBearer, strings.Contains(seen, "invalid_token"):
		return f.tokenRefused(seen)
	case f.Credentials != nil && f.Credentials.Mechanism == MechanismAWSMSKIAM:
		return iamRefused(seen)
	}
	return Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: CauseCredentials,
		Detail: "the broker refuses the user name or password for " + f.mechanism(),
		Hint:   "check username and password in the secret, and that the user has credentials for this mechanism on the cluster"}
}

func (f facts) mechanismRefused(string) Diagnosis {
	return Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: CauseMechanism,
		Detail: f.mechanism() + " is not enabled on the broker's listener",
		Hint:   "use the SourceAccessConfigurations Type of a mechanism in the broker's sasl.enabled.mechanisms"}
}

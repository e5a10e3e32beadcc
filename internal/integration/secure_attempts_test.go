package integration

import (
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/kafkatest"
)

// refusal is what a mapping must report when it is refused; the zero value means a mapping that works.
type refusal struct {
	text   string
	code   auth.Code
	cause  auth.Cause
	detail string // a substring of it
}

// attempt is one way to connect.
type attempt struct {
	name string
	// door is a listener's name without its TLS version, or the full name of one without TLS.
	door string
	// user is the one whose ACLs and group apply. kind and secret are how it authenticates, "" for not at
	// all.
	user   string
	kind   auth.SourceAccessType
	secret string
	ca     string
	want   refusal
}

// attempts returns each kind of credentials that works, and each refusal that Lambda's documentation names.
func attempts() []attempt {
	const basic, scram256, scram512, certificate = auth.BasicAuth, auth.SASLSCRAM256Auth, auth.SASLSCRAM512Auth, auth.ClientCertificateTLSAuth
	sasl := func(detail string) refusal {
		return refusal{auth.TextSASL, auth.CodeAuthnError, auth.CauseCredentials, detail}
	}
	acl := func(cause auth.Cause, detail string) refusal {
		return refusal{auth.TextClusterAuthorize, auth.CodeAuthzError, cause, detail}
	}
	server := func(cause auth.Cause, detail string) refusal {
		return refusal{auth.TextLambdaAuthenticate, auth.CodeAuthnError, cause, detail}
	}
	client := func(cause auth.Cause, detail string) refusal {
		return refusal{auth.TextServerAuthenticate, auth.CodeAuthnError, cause, detail}
	}
	plaintext := refusal{auth.TextConnection, "", auth.CausePlaintextListener, "plaintext"}
	none := refusal{}
	return []attempt{
		{"PLAIN", "SASL", "alice", basic, "alice", "ca", none},
		{"SCRAM-256", "SASL", "alice", scram256, "alice", "ca", none},
		{"SCRAM-512", "SASL", "alice", scram512, "alice", "ca", none},
		{"certificate", "MUTUAL", "CN=alice", certificate, "certificate", "ca", none},
		{"certificate with an encrypted key", "MUTUAL", "CN=alice", certificate, "encrypted", "ca", none},
		{"CA alone", "SSL", "alice", "", "", "ca", none},

		{"wrong password PLAIN", "SASL", "alice", basic, "wrong", "ca", sasl("for PLAIN")},
		{"wrong password SCRAM-256", "SASL", "alice", scram256, "wrong", "ca", sasl("for SCRAM-SHA-256")},
		{"wrong password SCRAM-512", "SASL", "alice", scram512, "wrong", "ca", sasl("for SCRAM-SHA-512")},
		{"unknown user", "SASL", "alice", scram512, "stranger", "ca", sasl("for SCRAM-SHA-512")},
		{"mechanism that is off", "ONLY256", "alice", scram512, "alice", "ca", refusal{auth.TextSASL, auth.CodeAuthnError, auth.CauseMechanism, "SCRAM-SHA-512 is not enabled"}},
		{"no user", "SASL", "alice", "", "", "ca", refusal{auth.TextSASL, auth.CodeAuthnError, auth.CauseSASLMissing, `wants SASL, and none is configured, with one of "`}},
		{"SCRAM where none is wanted", "SSL", "alice", scram512, "alice", "ca", refusal{auth.TextSASL, auth.CodeAuthnError, auth.CauseSASLState, "did not expect SASL"}},

		{"topic without ACL", "SASL", "no-topic", scram512, "no-topic", "ca", acl(auth.CauseTopicACL, `User:no-topic lacks an ACL on the topic "orders"`)},
		{"topic without ACL, certificate", "MUTUAL", "CN=no-topic", certificate, "no-topic-certificate", "ca", acl(auth.CauseTopicACL, `User:CN=no-topic lacks an ACL on the topic "orders"`)},
		{"topic without Read", "SASL", "describe-topic", scram512, "describe-topic", "ca", acl(auth.CauseTopicACL, `User:describe-topic lacks an ACL on the topic "orders"`)},
		{"topic without Describe", "SASL", "read-topic", scram512, "read-topic", "ca", acl(auth.CauseTopicACL, `User:read-topic lacks an ACL on the topic "orders"`)},
		{"group without ACL", "SASL", "no-group", scram512, "no-group", "ca", acl(auth.CauseGroupACL, `User:no-group lacks an ACL on the group "no-group-`)},
		{"group without Read", "SASL", "describe-group", scram512, "describe-group", "ca", acl(auth.CauseGroupACL, `User:describe-group lacks an ACL on the group "describe-group-`)},
		{"group without Describe", "SASL", "read-group", scram512, "read-group", "ca", acl(auth.CauseGroupACL, `User:read-group lacks an ACL on the group "read-group-`)},

		{"other CA", "SASL", "alice", scram512, "alice", "other-ca", server(auth.CauseServerCA, `signed by "CN=esm test CA", which is not trusted`)},
		{"other CA, certificate", "MUTUAL", "alice", certificate, "certificate", "other-ca", server(auth.CauseServerCA, "is not trusted")},
		{"no CA", "SASL", "alice", basic, "alice", "", server(auth.CauseServerCA, "is not trusted")},
		{"wrong name", "MISNAMED", "alice", scram512, "alice", "ca", server(auth.CauseServerName, `lacks the name "127.0.0.1" (it has kafka.example)`)},
		{"expired", "EXPIRED", "alice", scram512, "alice", "ca", server(auth.CauseServerExpired, "is valid from")},

		{"untrusted certificate", "MUTUAL", "alice", certificate, "untrusted", "ca", client(auth.CauseClientCertificateRejected, "the client certificate")},
		{"no certificate", "MUTUAL", "alice", "", "", "ca", client(auth.CauseClientCertificateMissing, "asks for a client certificate")},
		{"certificate where SASL is wanted", "SASL", "alice", certificate, "certificate", "ca", client(auth.CauseSASLMissing, `wants SASL, not a client certificate, with one of "`)},

		{"plaintext listener, SCRAM", string(kafkatest.Plaintext), "alice", scram512, "alice", "ca", plaintext},
		{"plaintext listener, certificate", string(kafkatest.Plaintext), "alice", certificate, "certificate", "ca", plaintext},
		{"TLS listener, no credentials", "SSL", "alice", "", "", "", refusal{auth.TextConnection, "", auth.CauseTLSListener, "TLS"}},
		{"SASL_PLAINTEXT listener, no credentials", string(kafkatest.SASLPlaintext), "alice", "", "", "", refusal{auth.TextSASL, auth.CodeAuthnError, auth.CauseSASLMissing, "wants SASL, and none is configured"}},
		{"SASL_PLAINTEXT listener", string(kafkatest.SASLPlaintext), "alice", basic, "alice", "ca", plaintext},
	}
}

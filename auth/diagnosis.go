package auth

// Code is one of AWS Lambda's codes for a stopped event source mapping, as
// StateTransitionReason shows them.
type Code string

// The codes that Lambda documents. Connection errors have none: "".
const (
	CodeConfigNotValid         Code = "ESM_CONFIG_NOT_VALID"
	CodeAuthnError             Code = "EVENT_SOURCE_AUTHN_ERROR"
	CodeAuthzError             Code = "EVENT_SOURCE_AUTHZ_ERROR"
	CodeFunctionConfigNotValid Code = "FUNCTION_CONFIG_NOT_VALID"
)

// Texts that AWS Lambda shows in LastProcessingResult, after "PROBLEM: ".
// Source: Lambda Developer Guide, with-kafka-troubleshoot, in its punctuation.
const (
	TextClusterAuthorize   = "Cluster failed to authorize Lambda."
	TextSASL               = "SASL authentication failed."
	TextServerAuthenticate = "Server failed to authenticate Lambda"
	TextLambdaAuthenticate = "Lambda failed to authenticate server"
	TextCertificateOrKey   = "Provided certificate or private key is invalid"
	TextConnection         = "Connection error. Please check your event source connection configuration. " +
		"If your event source lives in a VPC, try setting up a new Lambda function or EC2 instance with the same " +
		"VPC, Subnet, and Security Group settings."
	TextSecretsUnreachable = "Connection error. Your VPC must be able to connect to Lambda and STS, " +
		"as well as Secrets Manager if authentication is required. " +
		"You can provide access by configuring PrivateLink or a NAT Gateway."
)

// Cause is the reason behind a text, in this package's words. The values are stable and can be used as metric labels.
type Cause string

// The causes that [Classify] distinguishes.
const (
	CauseUnknown Cause = ""

	// The principal is known and lacks an ACL.
	CauseTopicACL   Cause = "topic-acl"   // Describe and Read on the topic
	CauseGroupACL   Cause = "group-acl"   // Describe and Read on the group
	CauseClusterACL Cause = "cluster-acl" // DescribeConfigs on the cluster

	// SASL.
	CauseCredentials Cause = "sasl-credentials" // wrong user name or password
	CauseMechanism   Cause = "sasl-mechanism"   // not enabled on the listener
	CauseSASLState   Cause = "sasl-state"       // SASL on a listener without it
	CauseSASLMissing Cause = "sasl-missing"     // no SASL on a listener that requires it
	CauseToken       Cause = "token"            // the broker refuses the token
	CauseIAM         Cause = "iam"              // the broker refuses AWS's signature
	// The identity provider issues no token.
	CauseTokenClient   Cause = "token-client"   // client id or secret
	CauseTokenScope    Cause = "token-scope"    // scope or audience
	CauseTokenGrant    Cause = "token-grant"    // the grant, or its assertion
	CauseTokenClock    Cause = "token-clock"    // a clock is wrong
	CauseTokenCA       Cause = "token-ca"       // its certificate is not trusted
	CauseTokenEndpoint Cause = "token-endpoint" // it does not answer, or is not a token endpoint

	// The broker does not accept this client's certificate.
	CauseClientCertificateMissing  Cause = "client-certificate-missing"
	CauseClientCertificateRejected Cause = "client-certificate-rejected"
	CauseClientCertificateExpired  Cause = "client-certificate-expired"

	// This client does not accept the broker's certificate.
	CauseServerCA      Cause = "server-ca"      // signed by a CA that is not trusted
	CauseServerName    Cause = "server-name"    // lacks the dialled name
	CauseServerExpired Cause = "server-expired" // expired, or not valid yet
	CauseServerInvalid Cause = "server-invalid" // unusable for another reason
	// CauseServerUnverified is one of the four above, but the client (librdkafka) does not say which. ProbeTLS finds out.
	CauseServerUnverified Cause = "server-unverified"

	// Before authentication.
	CausePlaintextListener Cause = "plaintext-listener" // TLS spoken to a plaintext listener
	CauseTLSListener       Cause = "tls-listener"       // plaintext spoken to a TLS listener
	CauseTLSVersion        Cause = "tls-version"        // no version or cipher in common
	CauseDNS               Cause = "dns"
	CauseRefused           Cause = "connection-refused"
	CauseTimeout           Cause = "timeout"
	CauseDisconnected      Cause = "disconnected"
	CauseAllBrokersDown    Cause = "all-brokers-down" // a summary, never the reason
	CauseTopicMissing      Cause = "topic-missing"

	// Before connecting.
	CauseCertificate       Cause = "certificate"  // own certificate or chain
	CausePrivateKey        Cause = "private-key"  // own key
	CauseKeyPassword       Cause = "key-password" // its password
	CauseKeyMismatch       Cause = "key-mismatch" // key of another certificate
	CauseConfiguration     Cause = "configuration"
	CauseSecret            Cause = "secret" // cannot be read or parsed
	CauseSecretUnavailable Cause = "secret-unavailable"
)

// Diagnosis is what an error of a client, a broker or a secret store means. It holds no secret value.
type Diagnosis struct {
	// Text is exactly Lambda's text, without "PROBLEM: ". It is "" for an unknown error.
	Text string
	// Code is Lambda's code, "" for connection errors and unknown ones.
	Code Code
	// Cause is the reason.
	Cause Cause
	// Detail says what was seen: which ACL, which name, which CA.
	Detail string
	// Hint says what to do.
	Hint string
	// Retryable is true if a retry may succeed without any change to the mapping, a secret or the cluster.
	Retryable bool
	// Err is the error that was classified.
	Err error
}

// Known reports whether the error was understood.
func (d Diagnosis) Known() bool { return d.Cause != CauseUnknown }

// Error returns Lambda's text, what was seen, and what to do.
func (d Diagnosis) Error() string {
	text := d.Text
	if text == "" {
		if d.Err == nil {
			return ""
		}
		return d.Err.Error()
	}
	if d.Detail != "" {
		text += " (" + d.Detail + ")"
	}
	if d.Hint != "" {
		text += ": " + d.Hint
	}
	return text
}

// Unwrap returns Err.
func (d Diagnosis) Unwrap() error { return d.Err }

// Vague reports whether [ProbeTLS] may find out more than the client did. It
// applies only to connections with TLS.
func (d Diagnosis) Vague() bool {
	switch d.Cause {
	case CauseServerUnverified, CauseDisconnected, CauseTimeout, CauseAllBrokersDown:
		return true
	}
	return false
}

// Stronger reports whether d explains more than other does.
func (d Diagnosis) Stronger(other Diagnosis) bool { return d.Cause.strength() > other.Cause.strength() }

// strength orders causes by how much they explain: with librdkafka, the first error on a wrong password can be "all
// brokers down".
func (c Cause) strength() int {
	switch c {
	case CauseUnknown:
		return 0
	case CauseAllBrokersDown:
		return 1
	case CauseDisconnected, CauseTimeout, CauseSecretUnavailable:
		return 2

	case CauseDNS, CauseRefused, CauseTopicMissing, CausePlaintextListener, CauseTLSListener, CauseServerUnverified:
		return 3
	default:
		return 4
	}
}

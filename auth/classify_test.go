package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/esm-go/esm/internal/rdkafka"
)

var (
	withCertificate = &Credentials{Protocol: ProtocolSSL, Certificate: []byte("x"), PrivateKey: NewSecret("x")}
	withoutOne      = &Credentials{Protocol: ProtocolSSL}
	withSASL        = &Credentials{Protocol: ProtocolSASLSSL, Mechanism: MechanismSCRAMSHA512, Username: "alice", Password: NewSecret("x")}
	withToken       = &Credentials{Protocol: ProtocolSASLSSL, Mechanism: MechanismOAuthBearer}
	withNothing     = &Credentials{}
)

func librdkafka(code int, text string) error { return &rdkafka.Error{Code: code, Text: text} }

// These are texts of librdkafka 2.11.1 (OpenSSL 3) when it talked to servers of Go's crypto/tls ("go") and of Java's
// JSSE ("java"), and texts from its source for servers that were not available ("source").
func TestClassifyLibrdkafka(t *testing.T) {
	const at = "ssl://127.0.0.1:9094/bootstrap: "
	for name, c := range map[string]struct {
		err         error
		credentials *Credentials
		cause       Cause
		text        string
		code        Code
	}{
		"CA or name or dates, go": {librdkafka(-181, at+"SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates are installed (install ca-certificates package) (after 1ms in state SSL_HANDSHAKE)"), nil, CauseServerUnverified, TextLambdaAuthenticate, CodeAuthnError},
		"the same, as transport":  {librdkafka(-195, at+"error:0A000086:SSL routines::certificate verify failed (after 1ms in state SSL_HANDSHAKE)"), nil, CauseServerUnverified, TextLambdaAuthenticate, CodeAuthnError},
		"OpenSSL 1.1, source":     {librdkafka(-181, at+"SSL handshake failed: error:1416F086:SSL routines:tls_process_server_certificate:certificate verify failed: broker certificate could not be verified"), nil, CauseServerUnverified, TextLambdaAuthenticate, CodeAuthnError},
		"verify, source":          {librdkafka(-181, at+"Failed to verify broker certificate: hostname mismatch"), nil, CauseServerName, TextLambdaAuthenticate, CodeAuthnError},
		"verify dates, source":    {librdkafka(-181, at+"Failed to verify broker certificate: certificate has expired"), nil, CauseServerExpired, TextLambdaAuthenticate, CodeAuthnError},
		"no certificate, source":  {librdkafka(-181, at+"Broker did not provide a certificate"), nil, CauseServerUnverified, TextLambdaAuthenticate, CodeAuthnError},

		"none, go, TLS 1.2":           {librdkafka(-181, at+"SSL handshake failed: error:0A000410:SSL routines::sslv3 alert handshake failure: SSL alert number 40 (after 2ms in state SSL_HANDSHAKE)"), withoutOne, CauseClientCertificateMissing, TextServerAuthenticate, CodeAuthnError},
		"none, go, TLS 1.2 transport": {librdkafka(-195, at+"error:0A000410:SSL routines::sslv3 alert handshake failure: SSL alert number 40 (after 1ms in state SSL_HANDSHAKE)"), withoutOne, CauseClientCertificateMissing, TextServerAuthenticate, CodeAuthnError},
		"none, go, TLS 1.3":           {librdkafka(-195, at+"Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required: SSL alert number 116 (after 2ms in state APIVERSION_QUERY)"), withoutOne, CauseClientCertificateMissing, TextServerAuthenticate, CodeAuthnError},
		"none, java":                  {librdkafka(-195, at+"Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42 (after 5ms in state APIVERSION_QUERY)"), withoutOne, CauseClientCertificateMissing, TextServerAuthenticate, CodeAuthnError},
		"none, nothing known":         {librdkafka(-195, at+"Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42 (after 5ms in state APIVERSION_QUERY)"), nil, CauseClientCertificateMissing, TextServerAuthenticate, CodeAuthnError},
		"not sent, go, TLS 1.2":       {librdkafka(-181, at+"SSL handshake failed: error:0A000410:SSL routines::sslv3 alert handshake failure: SSL alert number 40 (after 1ms in state SSL_HANDSHAKE)"), withCertificate, CauseClientCertificateRejected, TextServerAuthenticate, CodeAuthnError},
		"not sent, go, TLS 1.3":       {librdkafka(-195, at+"Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required: SSL alert number 116 (after 1ms in state APIVERSION_QUERY)"), withCertificate, CauseClientCertificateRejected, TextServerAuthenticate, CodeAuthnError},
		"not sent, java":              {librdkafka(-195, at+"Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42 (after 5ms in state APIVERSION_QUERY)"), withCertificate, CauseClientCertificateRejected, TextServerAuthenticate, CodeAuthnError},
		"untrusted, alert":            {librdkafka(-195, at+"Receive failed: error:0A000418:SSL routines::tlsv1 alert unknown ca: SSL alert number 48 (after 1ms in state APIVERSION_QUERY)"), withCertificate, CauseClientCertificateRejected, TextServerAuthenticate, CodeAuthnError},
		"unknown, alert":              {librdkafka(-195, at+"Receive failed: error:0A000416:SSL routines::sslv3 alert certificate unknown: SSL alert number 46 (after 1ms in state APIVERSION_QUERY)"), withCertificate, CauseClientCertificateRejected, TextServerAuthenticate, CodeAuthnError},
		"expired, alert":              {librdkafka(-195, at+"Receive failed: error:0A000415:SSL routines::sslv3 alert certificate expired: SSL alert number 45 (after 1ms in state APIVERSION_QUERY)"), withCertificate, CauseClientCertificateExpired, TextServerAuthenticate, CodeAuthnError},
		"needed, old, source":         {librdkafka(-181, at+"SSL handshake failed: error:14094412: unexpected message: client SSL authentication might be required (see ssl.key.location and ssl.certificate.location and consult the broker logs for more information)"), withoutOne, CauseClientCertificateMissing, TextServerAuthenticate, CodeAuthnError},
		"version, alert":              {librdkafka(-181, at+"SSL handshake failed: error:0A00042E:SSL routines::tlsv1 alert protocol version: SSL alert number 70"), nil, CauseTLSVersion, TextConnection, ""},

		"password, source":           {librdkafka(-169, "sasl_ssl://127.0.0.1:9094/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 312ms in state AUTH_REQ)"), withSASL, CauseCredentials, TextSASL, CodeAuthnError},
		"SASL not wanted":            {librdkafka(-169, "sasl_ssl://127.0.0.1:9094/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported mechanisms:  (after 4ms in state AUTH_HANDSHAKE)"), withSASL, CauseSASLState, TextSASL, CodeAuthnError},
		"mechanism, source":          {librdkafka(-169, "sasl_ssl://127.0.0.1:9094/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: PLAIN (after 2ms in state AUTH_HANDSHAKE)"), withSASL, CauseMechanism, TextSASL, CodeAuthnError},
		"hung up in SASL":            {librdkafka(-195, "sasl_plaintext://127.0.0.1:9092/bootstrap: SASL authentication error: SaslAuthenticateRequest failed: Local: Broker transport failure (after 1ms in state AUTH_REQ)"), withSASL, CauseCredentials, TextSASL, CodeAuthnError},
		"hung up in SASL, token":     {librdkafka(-195, "GroupCoordinator: SASL authentication error: SaslAuthenticateRequest failed: Local: Broker transport failure (after 0ms in state DOWN)"), withToken, CauseDisconnected, TextConnection, ""},
		"hung up before SASL":        {librdkafka(-169, "sasl_ssl://127.0.0.1:17285/1: SASL OAUTHBEARER mechanism handshake failed: Local: Broker transport failure: broker's supported mechanisms: (n/a) (after 12ms in state DOWN)"), withToken, CauseDisconnected, TextConnection, ""},
		"token refused":              {librdkafka(-169, `sasl_ssl://127.0.0.1:17285/1: SASL authentication error: {"status":"invalid_token"} (after 307ms in state AUTH_REQ)`), withToken, CauseToken, TextSASL, CodeAuthnError},
		"SASL wanted, source":        {librdkafka(-195, "127.0.0.1:9092/bootstrap: Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication (after 12ms in state UP)"), withNothing, CauseSASLMissing, TextSASL, CodeAuthnError},
		"TLS wanted, source":         {librdkafka(-195, "127.0.0.1:9094/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request) (after 12ms in state APIVERSION_QUERY)"), withNothing, CauseTLSListener, TextConnection, ""},
		"plaintext listener, source": {librdkafka(-195, at+"SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener? (after 3ms in state SSL_HANDSHAKE)"), nil, CausePlaintextListener, TextConnection, ""},
		"plaintext listener, words":  {librdkafka(-181, at+"SSL handshake failed: error:0A00010B:SSL routines::wrong version number (after 3ms in state SSL_HANDSHAKE)"), nil, CausePlaintextListener, TextConnection, ""},

		"refused":         {librdkafka(-195, "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)"), nil, CauseRefused, TextConnection, ""},
		"DNS":             {librdkafka(-193, "no-such-host.invalid:9092/bootstrap: Failed to resolve 'no-such-host.invalid:9092': Name or service not known (after 12ms in state CONNECT)"), nil, CauseDNS, TextConnection, ""},
		"all down":        {librdkafka(-187, "1/1 brokers are down"), nil, CauseAllBrokersDown, TextConnection, ""},
		"timed out":       {librdkafka(-185, "127.0.0.1:9092/bootstrap: Connection setup timed out in state CONNECT (after 30028ms in state CONNECT)"), nil, CauseTimeout, TextConnection, ""},
		"disconnected":    {librdkafka(-195, "127.0.0.1:9092/1: Disconnected (after 60012ms in state UP)"), nil, CauseDisconnected, TextConnection, ""},
		"SSL, new words":  {librdkafka(-181, at+"SSL handshake failed: error:0A0000C1:SSL routines::something new"), nil, CauseTLSVersion, TextConnection, ""},
		"topic ACL":       {librdkafka(29, "Subscribed topic not available: t8: Broker: Topic authorization failed"), nil, CauseTopicACL, TextClusterAuthorize, CodeAuthzError},
		"group ACL":       {librdkafka(30, "FindCoordinator response error: Group authorization failed."), nil, CauseGroupACL, TextClusterAuthorize, CodeAuthzError},
		"cluster ACL":     {librdkafka(31, "Broker: Cluster authorization failed"), nil, CauseClusterACL, TextClusterAuthorize, CodeAuthzError},
		"topic missing":   {librdkafka(3, "Subscribed topic not available: t: Broker: Unknown topic or partition"), nil, CauseTopicMissing, TextConnection, ""},
		"topic missing 2": {librdkafka(-188, "Local: Unknown topic"), nil, CauseTopicMissing, TextConnection, ""},

		"bad key":  {librdkafka(-186, "ssl.key.pem failed: not in PEM format?: error:0688010A:asn1 encoding routines::nested asn1 error: Type=PKCS8_PRIV_KEY_INFO"), nil, CausePrivateKey, TextCertificateOrKey, CodeConfigNotValid},
		"bad cert": {librdkafka(-186, "ssl.certificate.pem failed: not in PEM format?: error:0488000D:PEM routines::ASN1 lib"), nil, CauseCertificate, TextCertificateOrKey, CodeConfigNotValid},
		"bad CA":   {librdkafka(-186, "failed to read certificate #0 from ssl.ca.pem: not in PEM format?: error:0480006C:PEM routines::no start line: Expecting: CERTIFICATE"), nil, CauseCertificate, TextCertificateOrKey, CodeConfigNotValid},
		"mismatch": {librdkafka(-186, "ssl.key.pem failed: error:05800074:x509 certificate routines::key values mismatch"), nil, CauseKeyMismatch, TextCertificateOrKey, CodeConfigNotValid},
		"other":    {librdkafka(-186, "No such configuration property: \"x\""), nil, CauseUnknown, "", ""},
		"no text":  {&rdkafka.Error{Code: -172, Name: "Local: Erroneous state"}, nil, CauseUnknown, "", ""},
	} {
		d := facts{Credentials: c.credentials, Topic: "t8", Group: "g1"}.classify(fmt.Errorf("poll: %w", c.err))
		if d.Cause != c.cause || d.Text != c.text || d.Code != c.code || !errors.Is(d.Err, c.err) {
			t.Errorf("%s: %q, %q, %q, want %q, %q, %q", name, d.Cause, d.Text, d.Code, c.cause, c.text, c.code)
		}
		if d.Known() && (d.Hint == "" || d.Detail == "") {
			t.Errorf("%s: no hint or detail: %+v", name, d)
		}
	}
}

// Errors of franz-go and of Go itself.
func TestClassifyGo(t *testing.T) {
	dial := func(err error) error {
		return fmt.Errorf("unable to dial: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err})
	}
	// kgo.ErrFirstReadEOF has three kinds; the type's fields are unexported.
	firstRead := func(text string) error { return fmt.Errorf("%s%w", text, hiddenEOF{}) }
	for name, c := range map[string]struct {
		err         error
		credentials *Credentials
		cause       Cause
		code        Code
		detail      string
	}{
		"topic ACL":          {fmt.Errorf("fetch: %w", kerr.TopicAuthorizationFailed), nil, CauseTopicACL, CodeAuthzError, `topic "orders"`},
		"group ACL":          {kerr.GroupAuthorizationFailed, withSASL, CauseGroupACL, CodeAuthzError, `principal User:alice lacks an ACL on the group "g1"`},
		"cluster ACL":        {kerr.ClusterAuthorizationFailed, nil, CauseClusterACL, CodeAuthzError, "cluster"},
		"password":           {fmt.Errorf("unable to initialize sasl: %w", kerr.SaslAuthenticationFailed), withSASL, CauseCredentials, CodeAuthnError, "SCRAM-SHA-512"},
		"mechanism":          {kerr.UnsupportedSaslMechanism, withSASL, CauseMechanism, CodeAuthnError, "not enabled"},
		"state":              {kerr.IllegalSaslState, withSASL, CauseSASLState, CodeAuthnError, ""},
		"topic missing":      {kerr.UnknownTopicOrPartition, nil, CauseTopicMissing, "", `"orders"`},
		"not coordinator":    {kerr.NotCoordinator, nil, CauseUnknown, "", ""},
		"refused":            {dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), nil, CauseRefused, "", ""},
		"DNS":                {dial(&net.DNSError{Err: "no such host", Name: "b-1.example", IsNotFound: true}), nil, CauseDNS, "", `"b-1.example"`},
		"deadline":           {dial(os.ErrDeadlineExceeded), nil, CauseTimeout, "", ""},
		"context deadline":   {fmt.Errorf("ping: %w", context.DeadlineExceeded), nil, CauseTimeout, "", ""},
		"cancelled":          {context.Canceled, nil, CauseUnknown, "", ""},
		"no route":           {dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), nil, CauseTimeout, "", "reached"},
		"alert":              {&net.OpError{Op: "remote error", Err: errors.New("tls: internal error")}, nil, CauseDisconnected, "", "alert"},
		"EOF":                {io.EOF, nil, CauseDisconnected, "", ""},
		"reset":              {&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, nil, CauseDisconnected, "", ""},
		"plaintext listener": {firstRead("broker closed the connection immediately after a dial, which often happens if the client is using TLS when the broker is not expecting it: is TLS misconfigured on the client or the broker?"), withoutOne, CausePlaintextListener, "", ""},
		"TLS listener":       {firstRead("broker closed the connection immediately during api versions negotiation, which often happens when the broker requires TLS but the client is using plaintext: is TLS missing?"), withNothing, CauseTLSListener, "", ""},
		"not TLS":            {firstRead("broker closed the connection immediately during api versions negotiation, which often happens when the broker requires TLS but the client is using plaintext: is TLS missing?"), withoutOne, CauseDisconnected, "", ""},
		"SASL missing":       {firstRead("broker closed the connection immediately after a request was issued, which often happens when SASL is required but not provided: is SASL missing?"), withNothing, CauseSASLMissing, CodeAuthnError, ""},
		"SASL refused":       {firstRead("broker closed the connection immediately after a request was issued, which often happens when SASL is required but not provided: is SASL missing?"), withSASL, CauseCredentials, CodeAuthnError, ""},
		"throttled":          {&SecretError{URI: "s", Kind: ErrSecretThrottled, Problem: "x"}, nil, CauseSecretUnavailable, "", ""},
		"denied":             {&SecretError{URI: "s", Kind: ErrSecretAccessDenied, Problem: "x"}, nil, CauseSecret, CodeConfigNotValid, `secret "s"`},
		"denied by network":  {&SecretError{URI: "s", Kind: ErrSecretAccessDenied, Problem: "x", Err: io.EOF}, nil, CauseSecret, CodeConfigNotValid, ""},
		"configuration":      {refuse([]SourceAccessConfiguration{{IAMAuth, "x"}}), nil, CauseConfiguration, CodeConfigNotValid, "IAM_AUTH"},
		"another user":       {librdkafka(-169, "SASL authentication error: Cannot change principals during re-authentication from User.a: User.b"), withSASL, CauseDisconnected, "", "user has changed"},
		"strongest":          {errors.Join(io.EOF, kerr.GroupAuthorizationFailed, librdkafka(-187, "1/1 brokers are down")), nil, CauseGroupACL, CodeAuthzError, ""},
		"wrapped join":       {fmt.Errorf("a: %w", errors.Join(errors.New("b"), dial(syscall.ECONNREFUSED))), nil, CauseRefused, "", ""},
		"handler":            {errors.New("division by zero"), nil, CauseUnknown, "", ""},
		"nil":                {nil, nil, CauseUnknown, "", ""},
	} {
		facts := facts{Credentials: c.credentials, Topic: "orders", Group: "g1"}
		d := facts.classify(c.err)
		if d.Cause != c.cause || d.Code != c.code || !strings.Contains(d.Detail, c.detail) || d.Known() != (d.Text != "") {
			t.Errorf("%s: %q, %q, %q, want %q, %q, %q", name, d.Cause, d.Code, d.Detail, c.cause, c.code, c.detail)
		}
		if again := facts.classify(fmt.Errorf("again: %w", error(d))); d.Known() && again.Cause != d.Cause {
			t.Errorf("%s: a Diagnosis is classified %q", name, again.Cause)
		}
		if d.Known() && !strings.HasPrefix(d.Error(), d.Text) {
			t.Errorf("%s: %s", name, d.Error())
		}
	}
}

type hiddenEOF struct{}

func (hiddenEOF) Error() string { return "" }
func (hiddenEOF) Unwrap() error { return io.EOF }

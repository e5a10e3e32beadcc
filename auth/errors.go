package auth

import (
	"errors"
	"strings"
)

// The ways in which a secret or its content can be wrong. Every error of [Resolve], [Check] and the stores of this
// package wraps one of them, inside a [*SecretError] that names the secret.
var (
	// ErrSecretNotFound: the store has no secret of that name.
	ErrSecretNotFound = errors.New("secret not found")
	// ErrSecretAccessDenied: the store refuses access to it.
	ErrSecretAccessDenied = errors.New("access to secret denied")
	// ErrSecretThrottled: the store throttles requests. Retry later.
	ErrSecretThrottled = errors.New("secret store throttled the request")
	// ErrSecretKMS: the key that encrypts the secret cannot be used.
	ErrSecretKMS = errors.New("secret cannot be decrypted by KMS")
	// ErrSecretWrongRegion: the secret is not in the region that was asked.
	ErrSecretWrongRegion = errors.New("secret is in another region")
	// ErrSecretTooLarge: over 65 536 bytes.
	ErrSecretTooLarge = errors.New("secret too large")
	// ErrSecretUnavailable: the store did not answer, or reported a failure of its own. Retry later.
	ErrSecretUnavailable = errors.New("secret store unavailable")
	// ErrSecretInvalid: the store refuses the name or the request as malformed, or the secret is not a JSON object with
	// the fields that the Type needs.
	ErrSecretInvalid = errors.New("invalid secret")
	// ErrCertificate: a certificate or chain cannot be read or used.
	ErrCertificate = errors.New("invalid certificate")
	// ErrPrivateKey: the private key cannot be read or used.
	ErrPrivateKey = errors.New("invalid private key")
	// ErrKeyPassword: the private key's password is wrong or missing. Errors that wrap it also wrap ErrPrivateKey.
	ErrKeyPassword = errors.New("wrong private key password")
	// ErrKeyMismatch: certificate and private key do not belong together.
	ErrKeyMismatch = errors.New("private key does not fit the certificate")
	// ErrInvalidCredentials: the fields of Credentials are inconsistent.
	ErrInvalidCredentials = errors.New("invalid credentials")
	// ErrSourceAccess: the SourceAccessConfigurations are refused, see
	// [ValidateSourceAccess]. The error also wraps each [*Problem].
	ErrSourceAccess = errors.New("invalid SourceAccessConfigurations")
)

// SecretError describes what is wrong with one secret. It names the secret and the field, but never a value.
type SecretError struct {
	// URI names the secret, as in SourceAccessConfiguration.URI.
	URI string
	// Type is what the secret is for, "" if a store does not know.
	Type SourceAccessType
	// Field is the field of the secret's JSON, "" for the secret as a whole.
	Field string
	// Kind is one of the sentinels of this package.
	Kind error
	// Problem says what is wrong.
	Problem string
	// Hint says what to do.
	Hint string
	// Err is the cause, nil if there is none that may be shown.
	Err error
	// Temporary is true for an error that time alone resolves: a certificate that becomes valid in a few minutes.
	Temporary bool
}

// Error formats the error as: secret "uri" (TYPE), field f: problem: hint.
func (e *SecretError) Error() string {
	var b strings.Builder
	b.WriteString("secret ")
	b.WriteString(quoteName(e.URI))
	if e.Type != "" {
		b.WriteString(" (" + string(e.Type) + ")")
	}
	if e.Field != "" {
		b.WriteString(", field " + e.Field)
	}
	b.WriteString(": " + e.Problem)
	if e.Hint != "" {
		b.WriteString(": " + e.Hint)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the sentinel and the cause.
func (e *SecretError) Unwrap() []error {
	all := make([]error, 0, 2)
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// quoteName quotes the name of a secret, unless it cannot be one: it may be the secret itself.
func quoteName(uri string) string {
	if len(uri) > 2*maxURILength || !uriPattern.MatchString(uri) {
		return "(its URI is not the name of a secret)"
	}
	return `"` + uri + `"`
}

// Warning is about something that works but needs attention: a certificate that expires soon, a chain in the wrong
// order.
type Warning struct {
	// URI and Field identify the subject, as in SecretError.
	URI   string
	Type  SourceAccessType
	Field string
	// Message says what was found and what to do. It holds no secret value.
	Message string
}

// String formats the warning as: secret "uri" (TYPE), field f: message.
func (w Warning) String() string {
	return (&SecretError{URI: w.URI, Type: w.Type, Field: w.Field, Problem: w.Message}).Error()
}

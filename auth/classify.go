package auth

import (
	"errors"
	"strings"
)

// Classify returns what an error of a Kafka client, of a broker, or of this package means, in Lambda's words. A nil
// error gives the zero Diagnosis.
//
// It knows franz-go's errors (*kerr.Error, crypto/tls, crypto/x509, net) by type, and librdkafka's, as driver/confluent
// returns them, by code and text. Of several joined errors it uses the one that explains most. For an unknown error it
// returns a Diagnosis whose Known is false.
func Classify(err error) Diagnosis { return facts{}.classify(err) }

// Classify is the function [Classify] for an error of a connection that used these credentials (nil if not known) for a
// topic and a group, either of which may be empty. The Diagnosis then names them, and distinguishes a certificate that
// was refused from one that was never sent.
func (c *Credentials) Classify(err error, topic, group string) Diagnosis {
	return facts{Credentials: c, Topic: topic, Group: group}.classify(err)
}

// facts are what is known about the connection that an error came from.
type facts struct {
	Credentials  *Credentials
	Topic, Group string
}

func (f facts) classify(err error) Diagnosis {
	if err == nil {
		return Diagnosis{}
	}
	best := Diagnosis{}
	for _, one := range branches(err) {
		if d := f.one(one); d.Cause.strength() > best.Cause.strength() {
			best = d
		}
	}
	best.Err = err
	return best
}

// branches returns the errors that errors.Join and the like hold, each a chain for errors.As. The two errors of a
// SecretError, sentinel and cause, stay together.
func branches(err error) []error {
	for at := err; at != nil; at = errors.Unwrap(at) {
		secretError := &SecretError{}
		if errors.As(at, &secretError) {
			return []error{err}
		}
		many, ok := at.(interface{ Unwrap() []error })
		if !ok {
			continue
		}
		all := []error{err} // last resort: the whole error
		for _, each := range many.Unwrap() {
			if each != nil {
				all = append(all, branches(each)...)
			}
		}
		return all
	}
	return []error{err}
}

// one classifies a single error, trying the most reliable evidence first.
func (f facts) one(err error) Diagnosis {
	if already, ok := errors.AsType[Diagnosis](err); ok {
		return already
	}
	for _, try := range []func(error) Diagnosis{classifySecret, classifyToken, f.classifyBroker, f.classifyTLS, f.classifyClient, f.classifyNetwork} {
		if d := try(err); d.Known() {
			return d
		}
	}
	return Diagnosis{}
}

// classifySecret classifies what goes wrong before connecting.
func classifySecret(err error) Diagnosis {
	own, named := errors.AsType[*SecretError](err)
	invalid := func(cause Cause) Diagnosis {
		d := Diagnosis{Text: TextCertificateOrKey, Code: CodeConfigNotValid, Cause: cause, Detail: ownText(err),
			Hint: "check the secret with auth.Check"}
		if named && own.Temporary {
			d.Code, d.Retryable = "", true
		}
		return d
	}
	config := func(text string) Diagnosis {
		return Diagnosis{Text: text, Code: CodeConfigNotValid, Cause: CauseSecret, Detail: ownText(err)}
	}
	switch {
	case errors.Is(err, ErrSourceAccess), errors.Is(err, ErrInvalidCredentials):
		return Diagnosis{Text: "SourceAccessConfigurations is not valid", Code: CodeConfigNotValid, Cause: CauseConfiguration, Detail: ownText(err)}
	case errors.Is(err, ErrKeyPassword):
		return invalid(CauseKeyPassword)
	case errors.Is(err, ErrKeyMismatch):
		return invalid(CauseKeyMismatch)
	case errors.Is(err, ErrPrivateKey):
		return invalid(CausePrivateKey)
	case errors.Is(err, ErrCertificate):
		return invalid(CauseCertificate)
	case errors.Is(err, ErrSecretUnavailable), errors.Is(err, ErrSecretThrottled):
		return Diagnosis{Text: TextSecretsUnreachable, Cause: CauseSecretUnavailable, Detail: ownText(err), Retryable: true}
	case errors.Is(err, ErrSecretNotFound), errors.Is(err, ErrSecretAccessDenied), errors.Is(err, ErrSecretKMS),
		errors.Is(err, ErrSecretWrongRegion):
		return config("The secret of SourceAccessConfigurations cannot be read")
	case errors.Is(err, ErrSecretTooLarge), errors.Is(err, ErrSecretInvalid):
		return config("The secret of SourceAccessConfigurations cannot be used")
	}
	return Diagnosis{}
}

// ownText returns the text of an error that this package made. It holds no secret and already names what is wrong.
func ownText(err error) string {
	if secret, ok := errors.AsType[*SecretError](err); ok {
		return secret.Error()
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// connection returns a connection error with its cause.
func connection(cause Cause, detail, hint string) Diagnosis {
	return Diagnosis{Text: TextConnection, Cause: cause, Detail: detail, Hint: hint, Retryable: true}
}

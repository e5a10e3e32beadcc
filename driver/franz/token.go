package franz

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// tokenPatience is how long one authentication waits for an unavailable identity provider. kgo retries a request some
// twenty times and logs each attempt. Waiting here keeps the member in its group for as long as its session lasts, with
// few attempts.
const tokenPatience = time.Minute

// authenticateToken begins an authentication with a token.
func authenticateToken(ctx context.Context, host string, c *auth.Credentials) (sasl.Session, []byte, error) {
	waiting, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	token, err := c.Tokens.Await(waiting)
	if err != nil {
		return nil, nil, unavailable(ctx, err)
	}
	_, first, err := oauth.Auth{Token: token.Value.Reveal(), Extensions: c.Extensions}.AsMechanism().Authenticate(ctx, host)
	return tokenSession{}, first, err
}

// tokenSession ends with the first answer: a broker that refuses gives the reason in it.
type tokenSession struct{}

// Challenge handles the broker's answer: empty, or a status in JSON (RFC 7628, 3.2.2).
func (tokenSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) > 0 {
		return false, nil, fmt.Errorf("%w: OAUTHBEARER: %.300q", kerr.SaslAuthenticationFailed, answer)
	}
	return true, nil, nil
}

// authenticateIAM begins an authentication with a signature.
func authenticateIAM(ctx context.Context, address string, c *auth.Credentials) (sasl.Session, []byte, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	first, err := c.IAM.Challenge(ctx, host)
	if err != nil {
		return nil, nil, unavailable(ctx, err)
	}
	return iamSession{}, first, nil
}

type iamSession struct{}

// Challenge handles the broker's answer: its version and a request ID.
func (iamSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) == 0 {
		return false, nil, fmt.Errorf("%w: AWS_MSK_IAM: the broker gives no answer", kerr.SaslAuthenticationFailed)
	}
	return true, nil, nil
}

// temporary is an error that kgo retries.
type temporary struct{ error }

func (t temporary) Unwrap() error { return t.error }
func (temporary) Temporary() bool { return true }

// unavailable marks errors that may pass: not a refusal, and not the end of the client.
func unavailable(ctx context.Context, err error) error {
	if refused, ok := errors.AsType[*auth.TokenError](err); ctx.Err() != nil || ok && refused.Refused() {
		return err
	}
	return temporary{err}
}

const tokenCondition = "token"

// keepTokens keeps a token ready for the next connection.
func (c *consumer) keepTokens() {
	source := func() *auth.Tokens { return c.security.current.Load().credentials.Tokens }
	auth.KeepTokens(c.life, source, c.security.changed, func(_ *auth.Token, err error) {
		if err == nil {
			c.report.clear(tokenCondition)
			return
		}
		c.report.raise(tokenCondition, c.classify(err))
	})
}

// tokenKind classifies why there is no token.
func tokenKind(err error) (driver.Kind, bool) {
	failure, ok := errors.AsType[*auth.TokenError](err)
	switch {
	case !ok:
		return 0, false
	case failure.Refused():
		return driver.KindAuthentication, true
	}
	return driver.KindUnavailable, true
}

//go:build cgo

package confluent

import (
	"context"
	"errors"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// bearer reports whether librdkafka authenticates with tokens. It does not support AWS_MSK_IAM, but Amazon MSK accepts
// OAUTHBEARER with a token that is signed in the same way.
func bearer(c *auth.Credentials) bool {
	return c != nil && (c.Mechanism == auth.MechanismOAuthBearer || c.Mechanism == auth.MechanismAWSMSKIAM)
}

// keepTokens gives librdkafka a token before it connects, and replaces each one in time: the next authentication uses
// it. librdkafka's own event that asks for a token adds nothing and is ignored.
func (c *consumer) keepTokens() {
	auth.KeepTokens(c.life, func() *auth.Tokens { return c.login.Load().Tokens }, c.newTokens, func(token *auth.Token, err error) {
		if err == nil {
			err = setToken(c.client, token, c.config.Credentials.Extensions)
		}
		if err != nil {
			c.noToken.Store(tokenFailure(err))
		} else {
			c.noToken.Store(nil)
		}
	})
}

// heardOfTokens reports why there is no token.
func (c *consumer) heardOfTokens() {
	if failure := c.noToken.Swap(nil); failure != nil {
		c.report(failure)
	}
}

// setToken hands a token to librdkafka.
func setToken(client *kafka.Consumer, token *auth.Token, extensions map[string]string) error {
	principal := token.Claims.Subject
	if principal == "" {
		principal = "esm" // librdkafka requires one, and sends it to no broker
	}
	err := client.SetOAuthBearerToken(kafka.OAuthBearerToken{TokenValue: token.Value.Reveal(), Expiration: token.Expires, Principal: principal, Extensions: extensions})
	if err == nil {
		return nil
	}
	// librdkafka's error about a token may quote it.
	return &auth.TokenError{Endpoint: "the identity provider", Description: "librdkafka refuses the token: it has characters that a bearer token cannot have, or has expired"}
}

// tokenFailure classifies why there is no token.
func tokenFailure(err error) *driver.Error {
	kind := driver.KindUnavailable
	if failure, ok := errors.AsType[*auth.TokenError](err); ok && failure.Refused() {
		kind = driver.KindAuthentication
	}
	return &driver.Error{Kind: kind, Offset: -1, Err: err}
}

// behindToken returns why there is no token, instead of an authentication error that an expired token caused:
// librdkafka keeps using that token, and brokers answer with a wrong SASL state or an invalid token, which are only
// consequences.
func (c *consumer) behindToken(e *driver.Error) *driver.Error {
	if e.Kind != driver.KindAuthentication || !bearer(c.config.Credentials) {
		return e
	}
	tokens := c.login.Load().Tokens
	if tokens == nil {
		return e
	}
	why := tokens.Behind()
	if why == nil {
		return e
	}
	failure := tokenFailure(why)
	failure.Broker = e.Broker
	return failure
}

// probeToken gives a probe's client its token.
func probeToken(ctx context.Context, client *kafka.Consumer, c *auth.Credentials) error {
	token, err := c.Tokens.Token(ctx)
	if err == nil {
		err = setToken(client, token, c.Extensions)
	}
	if err != nil {
		return tokenFailure(err)
	}
	return nil
}

// renewToken makes keepTokens use the tokens of another source.
func (c *consumer) renewToken() {
	select {
	case c.newTokens <- struct{}{}:
	default: // a value is already there
	}
}

package iam

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/esm-go/esm/auth"
)

// WebIdentityToken gets a token from AWS STS, signed with RS256 and valid for STS's default of five minutes.
func (s *Signer) WebIdentityToken(ctx context.Context, audience string) (*auth.Token, error) {
	region, err := s.regionFor("")
	if err != nil {
		return nil, err
	}
	cfg := s.config.Copy()
	cfg.Region = region
	if _, err := s.credentials(ctx); err != nil {
		return nil, err
	}
	answer, err := sts.NewFromConfig(cfg, s.sts...).GetWebIdentityToken(ctx, &sts.GetWebIdentityTokenInput{
		Audience: []string{audience}, SigningAlgorithm: aws.String("RS256")})
	if err != nil {
		return nil, explain(ctx, region, err)
	}
	token := &auth.Token{Value: auth.NewSecret(aws.ToString(answer.WebIdentityToken)), Claims: auth.ClaimsOf(aws.ToString(answer.WebIdentityToken))}
	if answer.Expiration != nil {
		token.Expires = *answer.Expiration
	}
	if !token.Expires.IsZero() && !token.Expires.After(time.Now()) {
		return nil, &auth.TokenError{Endpoint: "AWS STS in " + region, Clock: true, Description: "the token had already expired when it arrived"}
	}
	return token, nil
}

// explain converts an error of the SDK into a TokenError.
func explain(ctx context.Context, region string, err error) error {
	failure := &auth.TokenError{Endpoint: "AWS STS in " + region}
	if ctx.Err() != nil {
		failure.Err = ctx.Err()
		return failure
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		failure.Status = response.HTTPStatusCode()
		if theirs, parseErr := http.ParseTime(response.Response.Header.Get("Date")); parseErr == nil {
			failure.Skew = time.Until(theirs).Truncate(time.Second)
		}
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		failure.Err = err
		return failure
	}
	failure.Code = api.ErrorCode()
	switch {
	case strings.Contains(failure.Code, "Throttl"), strings.Contains(failure.Code, "LimitExceeded"):
		failure.Status = http.StatusTooManyRequests
	case strings.Contains(failure.Code, "Signature"):
		return failure // its message repeats what was signed, including a session token
	}
	line, _, _ := strings.Cut(api.ErrorMessage(), "\n")
	failure.Description = fmt.Sprintf("%.300s", line)
	return failure
}

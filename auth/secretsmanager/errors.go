package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/esm-go/esm/auth"
)

// explain converts an error of the SDK into one that says what to do.
//
// It passes on the SDK's text as the cause: that contains codes, request IDs and the service's message, but nothing of
// a secret's value.
func explain(uri, region string, err error) error {
	e := &auth.SecretError{URI: uri, Err: cause{err}}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return unanswered(e, region, err)
	}
	message := api.ErrorMessage()
	switch code := api.ErrorCode(); code {
	case "ResourceNotFoundException":
		e.Kind, e.Problem = auth.ErrSecretNotFound, "does not exist in "+region
		e.Hint = "check the name, the account and the region; a new secret needs a value"
	case "AccessDeniedException", "AccessDenied":
		if mentionsKMS(message) {
			return kms(e)
		}
		e.Kind, e.Problem = auth.ErrSecretAccessDenied, "may not be read by this process"
		e.Hint = "allow secretsmanager:GetSecretValue on it, in the role and in the secret's own policy"
	case "DecryptionFailure", "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException", "EncryptionFailure":
		return kms(e)
	case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "LimitExceededException":
		e.Kind, e.Problem = auth.ErrSecretThrottled, "was requested too often"
		e.Hint = "wait, read it less often, or request a higher quota"
	case "InvalidRequestException":
		if mentionsKMS(message) {
			return kms(e)
		}
		e.Kind, e.Problem = auth.ErrSecretNotFound, "cannot be read in its state"
		e.Hint = "it may be scheduled for deletion: aws secretsmanager restore-secret"
	case "InvalidParameterException", "ValidationException":
		if strings.Contains(strings.ToLower(message), "region") {
			return wrongRegion(e, region)
		}
		e.Kind, e.Problem = auth.ErrSecretInvalid, "is not a name that Secrets Manager accepts"
		e.Hint = "give the secret's ARN"
	case "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException", "ExpiredToken",
		"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken":
		e.Kind, e.Problem = auth.ErrSecretAccessDenied, "cannot be read with these AWS credentials"
		e.Hint = "check this process's AWS credentials, that they are current, and the machine's clock"
	case "InternalServiceError", "ServiceUnavailable", "ServiceUnavailableException", "InternalFailure":
		e.Kind, e.Problem = auth.ErrSecretUnavailable, "cannot be read: Secrets Manager has an internal error"
		e.Hint = "try again"
	default:
		return other(e, code, err)
	}
	if errors.Is(e.Kind, auth.ErrSecretInvalid) || errors.Is(e.Kind, auth.ErrSecretAccessDenied) {
		if strings.Contains(message, "region") && strings.Contains(message, "scoped") {
			return wrongRegion(e, region)
		}
	}
	return e
}

// mentionsKMS reports whether the KMS key, rather than the secret, refused: Secrets Manager answers both with the same
// code.
func mentionsKMS(message string) bool {
	return strings.Contains(message, "KMS") || strings.Contains(message, "kms:") || strings.Contains(message, "ciphertext")
}

func kms(e *auth.SecretError) error {
	e.Kind, e.Problem = auth.ErrSecretKMS, "cannot be decrypted: its KMS key refuses"
	e.Hint = "allow kms:Decrypt on the key that encrypts it, and check that the key is enabled"
	return e
}

func wrongRegion(e *auth.SecretError, region string) error {
	e.Kind, e.Problem = auth.ErrSecretWrongRegion, "is not a secret of region "+region
	e.Hint = "give the ARN that the secret has in its own region"
	return e
}

// other classifies an error by its HTTP status.
func other(e *auth.SecretError, code string, err error) error {
	status := 0
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = response.HTTPStatusCode()
	}
	switch {
	case status == 429:
		e.Kind, e.Problem, e.Hint = auth.ErrSecretThrottled, "was requested too often", "wait, or read it less often"
	case status == 403:
		e.Kind, e.Problem, e.Hint = auth.ErrSecretAccessDenied, "may not be read by this process", "allow secretsmanager:GetSecretValue on it"
	case status >= 400 && status < 500:
		e.Kind, e.Problem, e.Hint = auth.ErrSecretInvalid, fmt.Sprintf("is refused (%s)", code), "see the cause"
	default:
		e.Kind, e.Problem, e.Hint = auth.ErrSecretUnavailable, "cannot be read now", "try again"
	}
	return e
}

// unanswered classifies an error without an answer from Secrets Manager.
func unanswered(e *auth.SecretError, region string, err error) error {
	e.Kind = auth.ErrSecretUnavailable
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		e.Problem = "was not read: the call was cancelled"
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Kind, e.Problem = auth.ErrSecretWrongRegion, "is in region "+region+", whose Secrets Manager has no address here"
		e.Hint = "check the region in the ARN, and DNS"
	case strings.Contains(err.Error(), "get identity") || strings.Contains(err.Error(), "get credentials"):
		e.Kind, e.Problem = auth.ErrSecretAccessDenied, "cannot be read: this process has no AWS credentials"
		e.Hint = "give it a role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	default:
		e.Problem = "cannot be read: Secrets Manager in " + region + " does not answer"
		e.Hint = "allow this process to reach it on port 443: a NAT gateway or a VPC endpoint"
	}
	return e
}

// cause shortens the text of the SDK's error and keeps the error for errors.As.
type cause struct{ err error }

func (c cause) Error() string {
	if api, ok := errors.AsType[smithy.APIError](c.err); ok {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return c.err.Error()
}

func (c cause) Unwrap() error { return c.err }

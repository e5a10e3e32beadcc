package invoke

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/esm-go/esm/function"
)

// retryConnections makes the SDK retry requests that never reached Lambda, and nothing else.
func retryConnections() func(*lambda.Options) {
	retryer := retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxAttempts, s.MaxBackoff, s.RateLimiter = 3, 300*time.Millisecond, ratelimit.None
		s.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			return aws.BoolTernary(neverConnected(err))
		})}
	})
	return func(o *lambda.Options) { o.Retryer = retryer }
}

func neverConnected(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// code returns the error code that AWS gave, or "".
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// failed returns the answer or the error that an SDK error stands for.
func (f *Function) failed(err error) (function.Answer, error) {
	api, isAPI := errors.AsType[smithy.APIError](err)
	response, answered := errors.AsType[*smithyhttp.ResponseError](err)
	if !isAPI {
		_, sent := errors.AsType[*smithyhttp.RequestSendError](err)
		if !answered && !sent || neverConnected(err) { // no credentials, no endpoint, no connection
			return function.Answer{}, fmt.Errorf("invoke: function %s: %w: %w", f.full, function.ErrNotInvoked, err)
		}
		return function.Answer{}, fmt.Errorf("invoke: function %s: %w", f.full, err)
	}
	switch api.ErrorCode() {
	case "TooManyRequestsException", "ThrottlingException", "Throttling", "EC2ThrottledException":
		te := &function.ThrottleError{Function: f.full, Err: err}
		if e, ok := errors.AsType[*types.TooManyRequestsException](err); ok {
			if n, err := strconv.Atoi(aws.ToString(e.RetryAfterSeconds)); err == nil {
				te.RetryAfter = time.Duration(n) * time.Second
			}
		}
		return function.Answer{}, te
	case "RequestTooLargeException", "SerializedRequestEntityTooLargeException":
		return function.Answer{StatusCode: http.StatusRequestEntityTooLarge}, nil
	case "InvalidRequestContentException", "UnsupportedMediaTypeException":
		return function.Answer{}, fmt.Errorf("invoke: function %s: %w", f.full, err) // Lambda rejects this particular event
	case "ServiceException", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException":
		return function.Answer{}, fmt.Errorf("invoke: function %s: %w: %w", f.full, function.ErrNotInvoked, err)
	}
	if answered && response.HTTPStatusCode() >= 500 && api.ErrorFault() != smithy.FaultClient && !lambdaNames(err) {
		return function.Answer{}, fmt.Errorf("invoke: function %s: %w: %w", f.full, function.ErrNotInvoked, err)
	}
	f.mu.Lock()
	f.checked = time.Time{} // check again before the next invocation
	f.mu.Unlock()
	return function.Answer{}, f.invalid(reason(api), err)
}

// lambdaNames reports whether Lambda names what keeps the function from running (502 and 504: its subnets, its file
// system, its key, its image).
func lambdaNames(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	_, generic := errors.AsType[*smithy.GenericAPIError](err)
	return ok && !generic && api.ErrorCode() != ""
}

// reason explains an error code of Invoke and says what to do.
func reason(api smithy.APIError) string {
	switch c := api.ErrorCode(); c {
	case "ResourceNotFoundException":
		return "it does not exist (ResourceNotFoundException): create it, or fix FunctionName, qualifier, account and region"
	case "AccessDeniedException", "AccessDenied":
		return "it may not be invoked (" + c + "): the identity of the client needs lambda:InvokeFunction on it, in its policy or in the function's"
	case "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId",
		"MissingAuthenticationTokenException", "MissingAuthenticationToken", "IncompleteSignatureException", "IncompleteSignature", "SignatureDoesNotMatch":
		return "AWS does not accept the client's credentials (" + c + "): are they of this account, not expired, and is the clock right?"
	default:
		return "Lambda cannot run it: " + c + ": " + api.ErrorMessage()
	}
}

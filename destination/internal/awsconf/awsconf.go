// Package awsconf holds what the AWS destinations share: how they load their configuration, and what an error of the
// SDK means.
package awsconf

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/esm-go/esm/destination"
)

// Load returns the given configuration, or else loads it with the SDK's own chain (environment, shared files). It makes
// no network requests.
func Load(ctx context.Context, given *aws.Config) (aws.Config, error) {
	if given != nil {
		return *given, nil
	}
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load the AWS configuration (environment, ~/.aws): %w", err)
	}
	return loaded, nil
}

// Attempts is how often the SDK itself tries a request, as by its own default. The Sender retries after that.
const Attempts = 3

// Retryer returns the SDK's standard retryer with Attempts.
func Retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = Attempts })
}

// Suffix returns the DNS suffix of an ARN's partition.
func Suffix(partition string) string {
	if partition == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// codes maps the services' error codes. SQS has two for the same error, from its older and its newer protocol.
var codes = map[string]destination.Reason{
	"AWS.SimpleQueueService.NonExistentQueue": destination.ReasonNotFound,
	"QueueDoesNotExist":                       destination.ReasonNotFound,
	"NotFound":                                destination.ReasonNotFound,
	"NoSuchBucket":                            destination.ReasonNotFound,
	"NotFoundException":                       destination.ReasonNotFound,
	"AccessDenied":                            destination.ReasonAccessDenied,
	"AccessDeniedException":                   destination.ReasonAccessDenied,
	"AuthorizationError":                      destination.ReasonAccessDenied,
	"AllAccessDisabled":                       destination.ReasonAccessDenied,
	"InvalidClientTokenId":                    destination.ReasonAccessDenied,
	"InvalidAccessKeyId":                      destination.ReasonAccessDenied,
	"SignatureDoesNotMatch":                   destination.ReasonAccessDenied,
	"ExpiredToken":                            destination.ReasonAccessDenied,
	"ExpiredTokenException":                   destination.ReasonAccessDenied,
	"InvalidSecurity":                         destination.ReasonAccessDenied,
	"KmsAccessDenied":                         destination.ReasonAccessDenied,
	"KMSAccessDenied":                         destination.ReasonAccessDenied,
	"KMS.AccessDeniedException":               destination.ReasonAccessDenied,
	"RequestThrottled":                        destination.ReasonThrottled,
	"KmsThrottled":                            destination.ReasonThrottled,
	"EntityTooLarge":                          destination.ReasonTooLarge,
	"InvalidParameter":                        destination.ReasonInvalid,
	"InvalidParameterValue":                   destination.ReasonInvalid,
	"InvalidParameterValueException":          destination.ReasonInvalid,
	"MissingParameter":                        destination.ReasonInvalid,
	"InvalidMessageContents":                  destination.ReasonInvalid,
	"InvalidAddress":                          destination.ReasonInvalid,
	"UnsupportedOperation":                    destination.ReasonInvalid,
	"InvalidBucketName":                       destination.ReasonInvalid,
	"PermanentRedirect":                       destination.ReasonInvalid,
}

// Explain turns an SDK error into a destination's error. hints say what to do for each reason.
func Explain(name string, err error, hints map[destination.Reason]string) error {
	if err == nil {
		return nil
	}
	e := &destination.Error{Destination: name, Reason: reason(err), Err: err}
	e.Hint = hints[e.Reason]
	return e
}

func reason(err error) destination.Reason {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if r, ok := codes[api.ErrorCode()]; ok {
			return r
		}
		if _, ok := retry.DefaultThrottleErrorCodes[api.ErrorCode()]; ok {
			return destination.ReasonThrottled
		}
	}
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		switch code := response.HTTPStatusCode(); {
		case code == 429:
			return destination.ReasonThrottled
		case code == 401 || code == 403:
			return destination.ReasonAccessDenied
		case code == 404:
			return destination.ReasonNotFound
		case code == 413:
			return destination.ReasonTooLarge
		case code >= 500:
			return destination.ReasonUnavailable
		}
	}
	var signing *smithyhttp.RequestSendError
	var network net.Error
	switch {
	case errors.As(err, &signing), errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return destination.ReasonUnavailable
	}
	return destination.ReasonOther
}

// Reason returns the reason of an error from Explain, or ReasonOther.
func Reason(err error) destination.Reason {
	if e, ok := errors.AsType[*destination.Error](err); ok {
		return e.Reason
	}
	return destination.ReasonOther
}

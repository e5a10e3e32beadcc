// Package function lets a mapping invoke a Lambda function instead of a Go func: a function in another language, in a
// container, or on AWS Lambda itself, unchanged.
//
// Each target has its own package, and a method Handle, which is an esm.Handler:
//
//	golambda  an aws-lambda-go handler, in this process
//	runtime   worker processes that speak Lambda's Runtime API: Python, Node, Java, Go, any language
//	web       HTTP: a function container, the runtime interface emulator, any URL that takes the event
//	invoke    AWS Lambda
//
// This package holds what the targets share. A Caller encodes the event, checks its size, sends it with an Invoker and
// reads the answer. A Registry resolves a FunctionName to a Target.
//
// # What an answer means
//
//   - An empty answer, null, and any JSON without batchItemFailures: the batch succeeded.
//   - batchItemFailures with items, each {"itemIdentifier":{"partition":"topic-0","offset":100}}: those records failed
//     (esm.ItemFailures), the rest succeeded. An empty or null list is success. A malformed list, or an item that is
//     not in the event, fails the whole batch.
//   - If the mapping's FunctionResponseTypes lacks ReportBatchItemFailures, the answer is ignored: the batch succeeds
//     whatever it says, as on Lambda. Ignored items are a condition in the mapping's Status and a line in its log. The
//     condition ends when no item has been ignored for five minutes.
//   - A function error is an *Error: the batch failed, and an attempt is used.
//   - An invocation that never reached the function uses no attempt (esm.Throttled): it was throttled, the function
//     does not exist or is not ready (*ConfigError), or no connection could be made (ErrNotInvoked). A *ConfigError or
//     a *NotFoundError is also a condition in the mapping's Status, with its Code, and the LastProcessingResult. A
//     retry waits for a *ThrottleError's RetryAfter, but no longer than the longest pause of esm.WithRetryBackoff.
//   - An event over 6 MB, which only a single record can cause, is esm.Permanent around ErrPayloadTooLarge: Lambda
//     never accepts it. Targets other than AWS Lambda can have a higher limit.
package function

// Package function lets a mapping invoke a Lambda function instead of a Go func: a function in another language, in a
// container, or on AWS Lambda itself, unchanged.
//
// The targets live in packages of their own, and each of them has the method Handle, which is an esm.Handler:
//
//	golambda  an aws-lambda-go handler, in this process
//	runtime   worker processes that speak Lambda's Runtime API: Python, Node, Go, any language
//	web       HTTP: a function container, the runtime interface emulator, any URL that takes the event
//	invoke    AWS Lambda
//
// What they share is here: Caller encodes the event, checks its size, has an Invoker carry it, and reads the answer;
// Registry resolves a FunctionName to a Target.
//
// # What an answer means
//
//   - An empty answer, null, and any JSON without batchItemFailures: the batch succeeded.
//   - batchItemFailures with items, each {"itemIdentifier":{"partition":"topic-0","offset":100}}: those records failed
//     (esm.ItemFailures), the rest succeeded. An empty or null list is success. An item that is not in the event, and a
//     list that is not well formed, is a failure of the whole batch.
//   - Where the mapping's FunctionResponseTypes does not have ReportBatchItemFailures, the answer is not looked at: whatever
//     it is, the batch succeeded, as on Lambda. That items were ignored is a condition in the mapping's Status and a line of
//     its log, until none were for five minutes.
//   - A function error is an *Error: the batch failed, and an attempt is used.
//   - What never reached the function uses no attempt (esm.Throttled): throttling, a function that is not there or not
//     ready (*ConfigError), a connection that could not be made (ErrNotInvoked). While it is a *ConfigError or a
//     *NotFoundError, the mapping's Status has a condition of that Code, and it is the LastProcessingResult. A
//     *ThrottleError's RetryAfter is waited for, as far as esm.WithRetryBackoff's longest pause.
//   - An event over 6 MB, which only a single record can be, is esm.Permanent around ErrPayloadTooLarge: Lambda does not
//     take it, however often it is sent. Targets other than AWS Lambda can be given a higher limit.
package function

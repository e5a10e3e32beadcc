// Package runtime runs an unchanged Lambda function in any language as worker processes on this machine. It serves
// Lambda's Runtime API, which every runtime interface client speaks.
//
//	pool, err := runtime.New(runtime.Config{
//		FunctionName: "orders",
//		Command:      []string{"python3", "-m", "awslambdaric", "app.handler"},
//		Dir:          "./orders",
//		Timeout:      30 * time.Second,
//	})
//	…
//	defer pool.Stop(context.Background())
//	if err := pool.Start(ctx); err != nil { // the cold start
//		return err
//	}
//	return esm.Run(ctx, mapping, pool.Handle, esm.WithHooks(pool.Hooks()))
//
// Commands for other languages:
//
//	Node  {"node", "node_modules/aws-lambda-ric/index.mjs", "app.handler"}
//	Java  {"java", "-cp", "lib/*", "com.amazonaws.services.lambda.runtime.api.client.AWSLambda", "example.App::handle"}
//	Go    the program that calls lambda.Start
//
// Any program that speaks the Runtime API works.
//
// # Workers
//
// A worker handles one invocation at a time, so there are as many workers as concurrent invocations. Workers are
// started when they are needed, and ended after a while without work: see WithWorkerRange, WithIdleTimeout and
// Pool.Hooks. A worker that does not answer within Timeout is killed and replaced, and its batch fails
// (Sandbox.Timedout). A worker that exits by itself is also replaced, and its batch fails (Runtime.ExitError). If a
// worker fails to start, the next attempt follows after a growing pause, up to a minute; Status shows it. If no other
// worker is alive, the waiting invocations fail with the next failed start, as on Lambda.
//
// The output of a worker goes to the log, line by line, with the function's name and the request ID. The ID is that of the
// invocation that runs when the line is read, so a line written at the very end of an invocation can have the next one's.
//
// # What a worker gets
//
// A worker's environment has the variables that Lambda sets, those of Config.Environment, and the host's PATH, LANG, TZ
// and TMPDIR. It runs as the same user and sees the same files: this is not a sandbox. The extensions API is not
// served, and response streaming is refused.
//
// Each worker has its own port on 127.0.0.1 for the Runtime API. The port refuses requests with a different Host, and
// requests with an Origin, which a web page could send. On Linux it also refuses every request that does not come from
// the worker's process group.
//
// # Shutdown
//
// Stop sends SIGTERM to each worker's process group, and SIGKILL after WithStopTimeout. On Linux the kernel kills the
// workers if this process ends in any other way, even by kill -9. It does not kill processes that a worker started; in
// all other cases those end with their worker, unless they have left its process group. On other systems, if this
// process is killed, an idle worker ends when its connection breaks, and a busy one when it has finished. On Windows,
// Stop kills a worker at once, but not the processes that it started.
package runtime

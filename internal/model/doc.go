// Package model tests esm from outside, in virtual time, in a world that misbehaves: several processes of one
// consumer group with several members each, a broker whose topics are created, deleted, grown and truncated,
// and handlers that behave like users' code. It uses only what every service can use, package esm and the
// in-memory broker, so its results do not depend on how the engine is implemented.
//
// The rules, and the checks that enforce them, are in world_test.go; situations_test.go lists what a campaign
// must have reached. A campaign of many seeds is a separate test:
//
//	go test -race ./internal/model -run TestCampaign -model.seeds=10000 -timeout 0
//
// It prints the script of each seed that fails, and how to replay it.
package model

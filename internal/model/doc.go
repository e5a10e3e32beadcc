// Package model tests esm from outside, in virtual time, against a world that misbehaves: several processes of one
// consumer group with several members each, a broker whose topics come, go, grow and are cut, and handlers that are users.
// It uses what every service can use, package esm and the in-memory broker, so that nothing it says depends on how the
// engine is made.
//
// The rules, and what holds the engine against them, are in world_test.go; what a campaign must have reached is in
// situations_test.go. A campaign of many seeds is a test of its own:
//
//	go test -race ./internal/model -run TestCampaign -model.seeds=10000 -timeout 0
//
// It prints the script of each seed that fails, and how to play it again.
package model

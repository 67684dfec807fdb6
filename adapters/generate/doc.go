// Package generate is the adapter for sources that make their events by
// themselves: for demonstrations, tests and load.
//
// A clock that ticks every second, for any number of clients:
//
//	generate: {data: '{{.Time.Format "15:04:05"}}'}
//
// Four types of event, two in a second and at irregular times, that end after
// 30:
//
//	generate:
//	  every: 500ms
//	  jitter: 0.5
//	  count: 30
//	  events:
//	    - {type: coinToss, weight: 3, data: '{{pick "heads" "tails"}}'}
//	    - {type: dieRoll, weight: 3, data: '{{random 1 6}}'}
//	    - {type: catFact, data: 'Cats sleep {{random 12 16}} hours a day.'}
//	    - {type: meme, data: '{"url": "/memes/{{random 1 9}}.png"}'}
//
// A stock ticker for the symbol in the route's path:
//
//	generate:
//	  every: 2s
//	  jitter: 0.2
//	  type: stockTicker
//	  data: '{{.Vars.symbol}} {{random 60 69}}.{{random 10 99}}'
//
// Three messages in order, the last of two lines:
//
//	generate:
//	  choose: cycle
//	  count: 3
//	  events:
//	    - {data: first message}
//	    - {data: second message}
//	    - data: |-
//	        third message,
//	        second line
//
// # Guarantees
//
// Each source numbers its events from 1 and goes on with its numbers when it
// is run again. It has no positions: its feed numbers what clients resume
// from. Under a steady interval events do not drift: each is due one interval
// after the last was due, however long that took to be taken. Where several
// have become due meanwhile, one is made, at once, and the others are not made
// up for. A number is never left out.
package generate

package main

import (
	"errors"

	"github.com/havoqlab/havoq/lab/gameday"
	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
)

// One code for each way to end. `go run` flattens all but 0 to 1.
const (
	exitPass     = 0 // the verdict is pass, or exactly what the scenario expects
	exitFail     = 1 // a criterion failed
	exitInternal = 2 // havoq itself failed (a Go panic exits so, too)
	exitUnknown  = 3 // it could not be known
	exitAborted  = 4 // a guard or a person ended the run
	exitBadInput = 5 // a file, flag or prerequisite is wrong
)

const exitCodesHelp = `Exit codes: 0 pass, or exactly what the scenario expects; 1 a criterion failed; 2 havoq itself failed;
3 unknown; 4 aborted by a guard or a person; 5 bad input.`

// exitError carries an exit code; err may be nil where everything was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func badInput(err error) error { return &exitError{exitBadInput, err} }

// failed is the exit of what came to no verdict.
func failed(err error) error {
	switch {
	case errors.Is(err, gameday.ErrPrerequisite):
		return badInput(err)
	case errors.Is(err, gameday.ErrInterrupted):
		return &exitError{exitAborted, err}
	}
	return &exitError{exitInternal, err}
}

// exitCodeOf is what a judged run exits with.
func exitCodeOf(res *result.Result) int {
	if res.Expected != nil && *res.Expected {
		return exitPass
	}
	switch res.Verdict {
	case oracle.Pass:
		if res.Expected != nil {
			return exitFail // it expected something else
		}
		return exitPass
	case oracle.Fail:
		return exitFail
	case result.Aborted:
		return exitAborted
	default:
		return exitUnknown
	}
}

// severity orders exit codes: of several runs the worst one counts.
func severity(code int) int {
	switch code {
	case exitPass:
		return 0
	case exitUnknown:
		return 1
	case exitFail:
		return 2
	case exitAborted:
		return 3
	case exitBadInput:
		return 4
	default:
		return 5
	}
}

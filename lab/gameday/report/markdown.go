package report

import "io"
import "github.com/havoqlab/havoq/lab/gameday/result"

func Markdown(w io.Writer, r *result.Result) error { return nil }
func JUnit(w io.Writer, r *result.Result) error    { return nil }

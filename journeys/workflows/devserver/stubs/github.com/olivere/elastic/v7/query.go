// Package elastic stands in for a client of Elasticsearch: this development server looks for workflows in SQLite, and
// no client can be made. Queries can be put together, since the server does so to check the queries of schedules.
package elastic

import "errors"

var errLeftOut = errors.New("Elasticsearch is left out of this development server")

type (
	Query interface {
		Source() (any, error)
	}

	Sorter interface {
		Source() (any, error)
	}

	Aggregation interface {
		Source() (any, error)
	}

	nothing struct{}

	BoolQuery        struct{ nothing }
	ExistsQuery      struct{ nothing }
	MatchQuery       struct{ nothing }
	PrefixQuery      struct{ nothing }
	RangeQuery       struct{ nothing }
	TermQuery        struct{ nothing }
	TermsQuery       struct{ nothing }
	FieldSort        struct{ nothing }
	SortByDoc        struct{ nothing }
	TermsAggregation struct{ nothing }
	SearchSource     struct{ nothing }
)

func (nothing) Source() (any, error) { return nil, errLeftOut }

func NewBoolQuery() *BoolQuery                    { return &BoolQuery{} }
func NewExistsQuery(string) *ExistsQuery          { return &ExistsQuery{} }
func NewMatchQuery(string, any) *MatchQuery       { return &MatchQuery{} }
func NewPrefixQuery(string, string) *PrefixQuery  { return &PrefixQuery{} }
func NewRangeQuery(string) *RangeQuery            { return &RangeQuery{} }
func NewTermQuery(string, any) *TermQuery         { return &TermQuery{} }
func NewTermsQuery(string, ...any) *TermsQuery    { return &TermsQuery{} }
func NewFieldSort(string) *FieldSort              { return &FieldSort{} }
func NewTermsAggregation() *TermsAggregation      { return &TermsAggregation{} }
func NewSearchSource() *SearchSource              { return &SearchSource{} }
func (q *BoolQuery) Filter(...Query) *BoolQuery   { return q }
func (q *BoolQuery) Must(...Query) *BoolQuery     { return q }
func (q *BoolQuery) MustNot(...Query) *BoolQuery  { return q }
func (q *BoolQuery) Should(...Query) *BoolQuery   { return q }
func (q *RangeQuery) Gt(any) *RangeQuery          { return q }
func (q *RangeQuery) Gte(any) *RangeQuery         { return q }
func (q *RangeQuery) Lt(any) *RangeQuery          { return q }
func (q *RangeQuery) Lte(any) *RangeQuery         { return q }
func (s *FieldSort) Desc() *FieldSort             { return s }
func (s *FieldSort) Missing(any) *FieldSort       { return s }
func (s *SearchSource) Query(Query) *SearchSource { return s }
func (s *SearchSource) Size(int) *SearchSource    { return s }

func (q *BoolQuery) MinimumShouldMatch(string) *BoolQuery    { return q }
func (q *BoolQuery) MinimumNumberShouldMatch(int) *BoolQuery { return q }

func (s *SearchSource) SortBy(...Sorter) *SearchSource                { return s }
func (s *SearchSource) TrackTotalHits(any) *SearchSource              { return s }
func (s *SearchSource) SearchAfter(...any) *SearchSource              { return s }
func (s *SearchSource) Aggregation(string, Aggregation) *SearchSource { return s }
func (a *TermsAggregation) Field(string) *TermsAggregation            { return a }
func (a *TermsAggregation) Missing(any) *TermsAggregation             { return a }
func (a *TermsAggregation) SubAggregation(string, Aggregation) *TermsAggregation {
	return a
}

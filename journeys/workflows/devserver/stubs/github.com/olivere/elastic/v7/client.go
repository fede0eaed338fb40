package elastic

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

type (
	Client           struct{}
	ClientOptionFunc func(*Client) error
	NumberDecoder    struct{}
	Retrier          struct{}
	Backoff          struct{}

	Logger interface {
		Printf(format string, values ...any)
	}

	PerformRequestOptions struct {
		Method, Path, ContentType string

		Params  url.Values
		Body    any
		Headers http.Header
	}

	Error struct {
		Status  int
		Details *ErrorDetails
	}

	ErrorDetails struct{ Type, Reason string }

	Response     struct{ Body json.RawMessage }
	Acknowledged struct{ Acknowledged bool }
	Health       struct{ Status string }

	GetResult struct {
		Found  bool
		Id     string
		Source json.RawMessage
	}

	CatIndicesResponse         []struct{}
	IndicesGetSettingsResponse struct{}

	SearchResult struct {
		Hits         *SearchHits
		Aggregations map[string]json.RawMessage
	}

	SearchHits struct{ Hits []*SearchHit }

	SearchHit struct {
		Id     string
		Source json.RawMessage
		Sort   []any
	}

	BulkBeforeFunc func(int64, []BulkableRequest)
	BulkAfterFunc  func(int64, []BulkableRequest, *BulkResponse, error)

	BulkableRequest interface {
		String() string
		Source() ([]string, error)
	}

	BulkResponse struct {
		Took  int
		Items []map[string]*BulkResponseItem
	}

	BulkResponseItem struct {
		Id     string
		Status int
		Error  *ErrorDetails
	}

	BulkProcessor     struct{}
	BulkService       struct{}
	BulkDeleteRequest struct{ bulk }
	BulkIndexRequest  struct{ bulk }

	bulk struct{}
)

func (*Error) Error() string { return errLeftOut.Error() }

func NewClient(...ClientOptionFunc) (*Client, error) { return nil, errLeftOut }

func IsNotFound(error) bool { return false }

func SetURL(...string) ClientOptionFunc            { return nil }
func SetBasicAuth(string, string) ClientOptionFunc { return nil }
func SetHealthcheck(bool) ClientOptionFunc         { return func(*Client) error { return errLeftOut } }
func SetSniff(bool) ClientOptionFunc               { return nil }
func SetGzip(bool) ClientOptionFunc                { return nil }
func SetRetrier(Retrier) ClientOptionFunc          { return nil }
func SetDecoder(*NumberDecoder) ClientOptionFunc   { return nil }
func SetHttpClient(*http.Client) ClientOptionFunc  { return nil }
func SetErrorLog(Logger) ClientOptionFunc          { return nil }
func SetInfoLog(Logger) ClientOptionFunc           { return nil }
func SetTraceLog(Logger) ClientOptionFunc          { return nil }

func NewBackoffRetrier(Backoff) Retrier { return Retrier{} }

func NewExponentialBackoff(time.Duration, time.Duration) Backoff { return Backoff{} }

func (*Client) Start() {}
func (*Client) Stop()  {}

func (*Client) PerformRequest(context.Context, PerformRequestOptions) (*Response, error) {
	return nil, errLeftOut
}

// A request of the client: what it is told is forgotten, and it fails.
type request[T any] struct{}

func (r request[T]) Index(string) request[T]       { return r }
func (r request[T]) Id(string) request[T]          { return r }
func (r request[T]) Version(int64) request[T]      { return r }
func (r request[T]) VersionType(string) request[T] { return r }
func (r request[T]) Query(Query) request[T]        { return r }
func (r request[T]) BodyJson(any) request[T]       { return r }
func (r request[T]) BodyString(string) request[T]  { return r }
func (r request[T]) WaitForYellowStatus() request[T] {
	return r
}
func (r request[T]) AllowPartialSearchResults(bool) request[T] { return r }
func (r request[T]) SearchSource(*SearchSource) request[T]     { return r }

func (r request[T]) Name(string) request[T]                 { return r }
func (r request[T]) Workers(int) request[T]                 { return r }
func (r request[T]) BulkActions(int) request[T]             { return r }
func (r request[T]) BulkSize(int) request[T]                { return r }
func (r request[T]) FlushInterval(time.Duration) request[T] { return r }
func (r request[T]) Before(BulkBeforeFunc) request[T]       { return r }
func (r request[T]) After(BulkAfterFunc) request[T]         { return r }
func (r request[T]) RetryItemStatusCodes(...int) request[T] { return r }

func (request[T]) Do(context.Context) (answer T, _ error) { return answer, errLeftOut }

type ping struct{}

func (ping) Do(context.Context) (any, int, error) { return nil, 0, errLeftOut }

func (*Client) Get() (r request[*GetResult])                          { return r }
func (*Client) Search(...string) (r request[*SearchResult])           { return r }
func (*Client) Count(...string) (r request[int64])                    { return r }
func (*Client) Delete() (r request[any])                              { return r }
func (*Client) PutMapping() (r request[*Acknowledged])                { return r }
func (*Client) CreateIndex(string) (r request[*Acknowledged])         { return r }
func (*Client) DeleteIndex(...string) (r request[*Acknowledged])      { return r }
func (*Client) IndexExists(...string) (r request[bool])               { return r }
func (*Client) IndexPutTemplate(string) (r request[*Acknowledged])    { return r }
func (*Client) IndexPutSettings(...string) (r request[*Acknowledged]) { return r }
func (*Client) ClusterHealth() (r request[*Health])                   { return r }
func (*Client) CatIndices() (r request[CatIndicesResponse])           { return r }
func (*Client) BulkProcessor() (r request[*BulkProcessor])            { return r }
func (*Client) Bulk() *BulkService                                    { return &BulkService{} }
func (*Client) Ping(string) (r ping)                                  { return r }
func (*Client) IndexGetSettings(...string) (r request[map[string]*IndicesGetSettingsResponse]) {
	return r
}

func (*BulkProcessor) Add(BulkableRequest) {}
func (*BulkProcessor) Flush() error        { return errLeftOut }
func (*BulkProcessor) Stop() error         { return errLeftOut }

func (s *BulkService) Add(...BulkableRequest) *BulkService     { return s }
func (*BulkService) NumberOfActions() int                      { return 0 }
func (*BulkService) Do(context.Context) (*BulkResponse, error) { return nil, errLeftOut }

func NewBulkIndexRequest() *BulkIndexRequest   { return &BulkIndexRequest{} }
func NewBulkDeleteRequest() *BulkDeleteRequest { return &BulkDeleteRequest{} }

func (bulk) String() string            { return "" }
func (bulk) Source() ([]string, error) { return nil, errLeftOut }

func (r *BulkIndexRequest) Index(string) *BulkIndexRequest         { return r }
func (r *BulkIndexRequest) Id(string) *BulkIndexRequest            { return r }
func (r *BulkIndexRequest) VersionType(string) *BulkIndexRequest   { return r }
func (r *BulkIndexRequest) Version(int64) *BulkIndexRequest        { return r }
func (r *BulkIndexRequest) Doc(any) *BulkIndexRequest              { return r }
func (r *BulkDeleteRequest) Index(string) *BulkDeleteRequest       { return r }
func (r *BulkDeleteRequest) Id(string) *BulkDeleteRequest          { return r }
func (r *BulkDeleteRequest) VersionType(string) *BulkDeleteRequest { return r }
func (r *BulkDeleteRequest) Version(int64) *BulkDeleteRequest      { return r }

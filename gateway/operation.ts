/**
 * What an S3 operation is: one row of data for routing, authorisation and metrics, and three functions.
 *
 * `decode` is pure: request to typed input, or an S3Error. `call` talks to the store. `encode` makes the answer.
 * Operations never import each other and never see sockets, signatures or metrics: that is the pipeline's.
 */
import type { Version } from '../node/core/catalog-types.ts'
import type { Bucket } from '../node/core/registry-types.ts'
import type { AccountSource } from './accounts.ts'
import type { Identity } from './auth/identity.ts'
import type { BucketDefaults } from './bucket-defaults.ts'
import type { GatewayLimits } from './limits.ts'
import type { CallContext, ObjectStore, RaisedEvent } from './object/object-store.ts'
import { type QueryPairs, queryValue } from './s3/address.ts'
import type { UploadBody } from './s3/body.ts'
import type { Headers } from './s3/headers.ts'
import { parseXml, type XmlNode } from './s3/xml.ts'

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS'
export type Target = 'service' | 'bucket' | 'object'

/** An IAM action that a request needs beside its operation's own. */
export interface FurtherAction {
  readonly action: string
  /** When the request names a version; absent: the same. */
  readonly versionAction?: string
  /**
   * always. A header (lower case) that is there, or has the value. `acl`: the request brings a list that lets in others
   * than the bucket's owner and the writer.
   */
  readonly when:
    | 'always'
    | 'acl'
    | { readonly header: string }
    | { readonly header: string; readonly is: string }
  /** About the object that this request writes: whoever a list lets write may do it, too. */
  readonly asWriter?: true
}

/** What tells an operation from its neighbours. Part of the operation table. */
export interface OperationRow {
  /** As AWS writes it; also the label in metrics. */
  readonly name: string
  readonly method: Method
  readonly target: Target
  /** The query that names it, for example `uploads`; absent: none. */
  readonly subresource?: string
  /** Beyond method, target and sub-resource: all of these must hold. The row with the most of them wins. */
  readonly needs?: {
    readonly query?: readonly string[]
    readonly queryIs?: readonly [name: string, value: string]
    readonly header?: string
  }
  /**
   * Clients that do not know the region yet may sign for another: they ask in order to learn it. AWS's global endpoint
   * answers these to signatures for us-east-1.
   */
  readonly anyRegion?: true
  /** IAM action. */
  readonly action: string
  /** IAM action when the request names a version; absent: the same. */
  readonly versionAction?: string
  /** What else must be allowed, when the request asks for it. */
  readonly furtherActions?: readonly FurtherAction[]
  /** What notification targets are told when it changes an object; absent: nothing. */
  readonly raises?: RaisedEvent['event']
  /** It only ever answers as AWS does for a bucket that does not use the feature. For README's table. */
  readonly unused?: true
  /** What a user of it should know, for README's table: a few words. */
  readonly note?: string
}

const noFields: ReadonlyMap<string, string> = new Map()

/** A request as operations see it: authenticated, authorised, its address decoded. */
export class S3Request {
  readonly bucketName: string
  /** `''` for requests on buckets. */
  readonly key: string
  readonly headers: Headers
  readonly query: QueryPairs
  /** `https://host` or `http://host` as the client addressed us. */
  readonly origin: string
  readonly virtualHost: boolean
  /** Fields of a form by lower-case name, beside those that became headers; empty for other requests. */
  readonly form: ReadonlyMap<string, string>
  /** Nobody on the way can read it: TLS, or a connection that never leaves this machine. A customer's key needs that. */
  readonly confidential: boolean
  readonly #document: Buffer | undefined
  readonly #body: UploadBody | undefined

  constructor(fields: {
    bucketName: string
    key: string
    headers: Headers
    query: QueryPairs
    origin: string
    virtualHost: boolean
    form?: ReadonlyMap<string, string>
    confidential: boolean
    document?: Buffer
    body?: UploadBody
  }) {
    this.bucketName = fields.bucketName
    this.key = fields.key
    this.headers = fields.headers
    this.query = fields.query
    this.origin = fields.origin
    this.virtualHost = fields.virtualHost
    this.form = fields.form ?? noFields
    this.confidential = fields.confidential
    this.#document = fields.document
    this.#body = fields.body
  }

  /** First value of a query; `''` when it has none. */
  param(name: string): string | undefined {
    return queryValue(this.query, name)
  }

  /** Only for operations with `body: 'object'`, `'form'` or `'xml'`. */
  get body(): UploadBody {
    if (this.#body === undefined) throw new Error('this operation has no body')
    return this.#body
  }

  /** Gives up what is left of the body; for every request, however it ended. */
  close(): void {
    this.#body?.close()
  }

  /** Whether an XML body came with the request. */
  get hasDocument(): boolean {
    return this.#document !== undefined && this.#document.length > 0
  }

  /** The document in the body as text; for those that are no XML. */
  get documentText(): string {
    return this.#document?.toString('utf8') ?? ''
  }

  /** The XML body, whose root must be `root`. Throws MalformedXML. */
  document(root: string): XmlNode {
    return parseXml(this.#document ?? Buffer.alloc(0), root)
  }
}

/** Bytes of an answer that are made while they are sent. */
export interface StreamedBody {
  readonly bytes: number
  readonly chunks: AsyncIterable<Buffer>
}

export interface S3Response {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A string is XML. */
  readonly body?: string | StreamedBody
}

/** Which targets of events there are. */
export interface EventTargets {
  /** An ARN, or `eventbridge`. */
  has(target: string): boolean
}

/** What a call may use. */
export interface OperationContext {
  readonly store: ObjectStore
  readonly call: CallContext
  readonly identity: Identity
  readonly accounts: AccountSource
  readonly bucketDefaults: BucketDefaults
  readonly region: string
  readonly limits: GatewayLimits
  readonly nowMs: number
  readonly eventTargets: EventTargets
}

type FindObject = Parameters<ObjectStore['findObject']>[0]
type FoundObject = Awaited<ReturnType<ObjectStore['findObject']>>

/** Another bucket's object that may be read. */
export interface ObjectSource {
  readonly bucket: Bucket
  /** As `ObjectStore.findObject`, for the key that was asked for. Throws AccessDenied. */
  findObject(find: Omit<FindObject, 'bucket' | 'key'>): Promise<FoundObject>
  /** As `BucketContext.may`, there. */
  may(action: string, version: Version): boolean
}

export interface BucketContext extends OperationContext {
  readonly bucket: Bucket
  /**
   * As `ObjectStore.findObject` for the request's own key, and throws AccessDenied when what is found decides so.
   * Operations with `findsObject` use it, all others may use the store's.
   */
  findObject(find: Omit<FindObject, 'bucket'>): Promise<FoundObject>
  /** Whether a further action on the request's key is allowed, given its version: decides what an answer tells. */
  may(action: string, version: Version): boolean
  /**
   * The source of a copy, for reading. Throws NoSuchBucket and AccessDenied; whoever may not list the source is not told
   * whether the key exists.
   */
  source(source: {
    readonly bucketName: string
    readonly key: string
    readonly versionId?: string | undefined
  }): Promise<ObjectSource>
  /** Of operations with `perKey`: throws AccessDenied unless this key (and version) may be deleted. */
  authoriseKey(key: string, versionId: string | undefined): Promise<void>
}

/** `object`: streamed to the store. `form`: as well, out of a POST form. `xml`: collected, bounded, verified, then decoded. */
export type BodyKind = 'none' | 'object' | 'form' | 'xml'

interface OperationTraits {
  /**
   * Of a `form` the fields before its file are read first: they name the key, say who sends it (and nothing in the
   * request's headers does), and take the place of headers.
   */
  readonly body: BodyKind
  /** Bound of an XML body; `xmlBytesMax` when absent. */
  readonly documentBytesMax?: number
  /** False: `x-amz-checksum-*` headers are not about the body of the request. */
  readonly bodyChecksum?: false
  /** It reads its object through `context.findObject`, which decides about access then: no look-up of its own for that. */
  readonly findsObject?: true
  /** Those who do not sign are answered, too, without a decision: the answer holds only what is the caller's own. */
  readonly anonymousToo?: true
  /** It asks `context.authoriseKey` for each key in its document, and needs no permission beside. */
  readonly perKey?: true
  /** Context keys of policies that the document in the body decides, by lower-case name. Throws what decode throws. */
  readonly documentKeys?: (request: S3Request, nowMs: number) => Readonly<Record<string, readonly string[]>>
  /** The answer may take long: begin it with 200 and white space, put errors into its body, as AWS does. */
  readonly slowAnswer?: boolean
}

export interface BucketOperation extends OperationRow, OperationTraits {
  readonly kind: 'bucket'
  run(request: S3Request, context: BucketContext): Promise<S3Response>
}

export interface ServiceOperation extends OperationRow, OperationTraits {
  readonly kind: 'service'
  run(request: S3Request, context: OperationContext): Promise<S3Response>
}

/** A row of the table that answers NotImplemented. */
export interface PlannedOperation extends OperationRow {
  readonly kind: 'planned'
}

/** What an operation may use that answers everybody. */
export type OpenContext = Omit<OperationContext, 'identity' | 'eventTargets'>

/** Answers everybody, unsigned: nothing but what a browser must learn before it may ask. */
export interface OpenOperation extends OperationRow {
  readonly kind: 'open'
  readonly body: 'none'
  run(request: S3Request, context: OpenContext): Promise<S3Response>
}

export type Operation = BucketOperation | ServiceOperation | OpenOperation | PlannedOperation

interface Functions<Input, Output, Context> {
  decode(request: S3Request): Input
  call(input: Input, context: Context): Promise<Output>
  encode(output: Output, input: Input, context: Context): S3Response
}

function runner<Input, Output, Context>(functions: Functions<Input, Output, Context>) {
  return async (request: S3Request, context: Context): Promise<S3Response> => {
    const input = functions.decode(request)
    return functions.encode(await functions.call(input, context), input, context)
  }
}

/** An operation on an existing bucket or an object in one: the pipeline finds the bucket and checks access first. */
export function defineOperation<Input, Output>(
  definition: OperationRow & OperationTraits & Functions<Input, Output, BucketContext>,
): BucketOperation {
  const { decode, call, encode, ...row } = definition
  return { ...row, kind: 'bucket', run: runner({ decode, call, encode }) }
}

/** An operation that needs no existing bucket. */
export function defineServiceOperation<Input, Output>(
  definition: OperationRow & OperationTraits & Functions<Input, Output, OperationContext>,
): ServiceOperation {
  const { decode, call, encode, ...row } = definition
  return { ...row, kind: 'service', run: runner({ decode, call, encode }) }
}

/** An operation that asks nobody for a signature. */
export function defineOpenOperation<Input, Output>(
  definition: OperationRow & Functions<Input, Output, OpenContext>,
): OpenOperation {
  const { decode, call, encode, ...row } = definition
  return { ...row, kind: 'open', body: 'none', run: runner({ decode, call, encode }) }
}

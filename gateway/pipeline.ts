/**
 * The one funnel of every request: route, authenticate, authorise, decode, call, encode, count. How answers and errors go
 * out is answers.ts'.
 *
 * Invariant: nothing reaches an operation that was not authenticated and authorised here; every request that enters is
 * counted once, whatever becomes of it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { Bucket } from '../node/core/registry-types.ts'
import type { Clock } from '../node/world.ts'
import type { AccessLog } from './access-log/access-log.ts'
import { accessRecordOf } from './access-log/observe.ts'
import type { AccountSource } from './accounts.ts'
import { Answers, type GatewayLogger } from './answers.ts'
import { admitService } from './auth/admission.ts'
import { type Authenticated, Authenticator, type Unauthenticated } from './auth/authenticate.ts'
import { RequestAccess } from './auth/authorise.ts'
import { BucketGate } from './auth/bucket-gate.ts'
import type { CredentialSource, SessionOpener } from './auth/credential-source.ts'
import { anonymous, type Identity } from './auth/identity.ts'
import { PolicyCache } from './auth/policy/policy-cache.ts'
import { type RequestFacts, RequestKeys } from './auth/request-keys.ts'
import type { BucketDefaults } from './bucket-defaults.ts'
import { Exchange, remoteIp } from './exchange.ts'
import type { QueryParts } from './iam/query-action.ts'
import { type QueryAnswer, QueryApi, type QueryRequest } from './iam/query-api.ts'
import type { GatewayLimits } from './limits.ts'
import { type GatewayMetrics, type Outcome, unknownOperation } from './metrics.ts'
import type { CallContext, ObjectStore } from './object/object-store.ts'
import {
  type BucketContext,
  type BucketOperation,
  type EventTargets,
  type OpenOperation,
  type Operation,
  type OperationContext,
  S3Request,
  type S3Response,
  type ServiceOperation,
} from './operation.ts'
import type { Router } from './router.ts'
import { type Address, bucketOfHost, parseAddress } from './s3/address.ts'
import { announcedBytes, collectBody, UploadBody, type UploadBodyOptions } from './s3/body.ts'
import { corsHeaders, corsVary, crossOriginOf } from './s3/cors.ts'
import { S3Error } from './s3/errors.ts'
import type { Headers } from './s3/headers.ts'
import { checkBucketName, checkKey, isBucketName } from './s3/names.ts'
import { fileBounds, readPostForm } from './s3/post-form.ts'
import { readWhole } from './s3/wire.ts'
import { answerVisit, pageHeaders } from './website.ts'

export interface PipelineOptions {
  readonly store: ObjectStore
  readonly credentials: CredentialSource
  readonly sessions: SessionOpener | undefined
  /** Absent: IAM and STS are not spoken. */
  readonly query: QueryParts | undefined
  readonly accounts: AccountSource
  readonly bucketDefaults: BucketDefaults
  readonly router: Router
  readonly region: string
  /** Host names whose sub-domains are buckets. Lower case. */
  readonly domains: readonly string[]
  /** Host names whose sub-domains are buckets seen as websites. Lower case. */
  readonly websiteDomains: readonly string[]
  readonly clock: Clock
  readonly limits: GatewayLimits
  /** ARNs (and `eventbridge`) that events can be sent to. */
  readonly eventTargets: EventTargets
  /** Absent: no lines are written. */
  readonly accessLog: AccessLog | undefined
  readonly metrics: GatewayMetrics
  readonly hostName: string
  readonly secure: boolean
  readonly legacyFormSignatures: boolean
  /** Requests cannot be read on their way: with TLS, or on loopback. */
  readonly confidential: boolean
  readonly logger: GatewayLogger | undefined
}

export interface Incoming {
  readonly raw: IncomingMessage
  readonly res: ServerResponse
  /** The request target as sent. */
  readonly url: string
  readonly expectsContinue: boolean
}

/** A request before anybody has vouched for it. */
interface AskedOpenly {
  readonly address: Address
  readonly headers: Headers
  readonly exchange: Exchange
  readonly call: CallContext
}

/** A request that was authenticated; its address names the object that it is about. */
interface Entered {
  readonly authenticated: Authenticated
  readonly address: Address
  readonly form: EnteredForm | undefined
}

interface EnteredForm {
  readonly fields: ReadonlyMap<string, string>
  readonly body: Pick<UploadBodyOptions, 'wire' | 'bytes' | 'openEnd'>
}

/** What is known of a request so far, for its answer and its metrics. */
interface Progress {
  address: Address | undefined
  operation: Operation | undefined
  /** Of IAM or STS. */
  query?: Pick<QueryAnswer, 'operation' | 'outcome'>
  /** An error that was answered in its own way. */
  told?: S3Error | undefined
  identity: Identity | undefined
  /** The one that the request addresses. */
  bucket: Bucket | undefined
}

export class Pipeline {
  readonly #options: PipelineOptions
  readonly #answers: Answers
  readonly #authenticator: Authenticator
  readonly #query: QueryApi | undefined
  /** Of both kinds. */
  readonly #domains: readonly string[]
  readonly #policies = new PolicyCache()
  #inFlight = 0
  #closing = false

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#answers = new Answers(options)
    this.#authenticator = new Authenticator(options)
    const { query } = options
    this.#query = query === undefined ? undefined : new QueryApi(query, this.#authenticator)
    this.#domains = [...options.domains, ...options.websiteDomains]
  }

  /** From now on answers ask clients to close their connections. */
  close(): void {
    this.#closing = true
  }

  /** Serves one request; never rejects. */
  async serve(incoming: Incoming): Promise<void> {
    const { clock, limits, metrics, hostName } = this.#options
    const startMs = clock.monotonicMs()
    const closing = () => this.#closing
    const exchange = new Exchange({ ...incoming, clock, limits, hostName, closing })
    const progress: Progress = {
      address: undefined,
      operation: undefined,
      identity: undefined,
      bucket: undefined,
    }
    this.#inFlight++
    metrics.begin()
    let outcome: Outcome = 'OK'
    try {
      await this.#answer(incoming, exchange, progress)
      outcome = progress.told?.code ?? 'OK'
    } catch (error) {
      outcome = this.#answers.fail(error, exchange, progress)
    } finally {
      this.#inFlight--
      const durationMs = clock.monotonicMs() - startMs
      metrics.finish({
        operation: progress.query?.operation ?? progress.operation?.name ?? unknownOperation,
        outcome: progress.query?.outcome ?? outcome,
        durationMs,
        bytesIn: exchange.wire.receivedBytes,
        bytesOut: exchange.bytesOut,
      })
      this.#logAccess(exchange, progress, { url: incoming.url, durationMs, outcome })
    }
  }

  /** A line for the bucket's access log, if it has one. */
  #logAccess(
    exchange: Exchange,
    { bucket, operation, address, identity }: Progress,
    { url, durationMs, outcome }: { url: string; durationMs: number; outcome: Outcome },
  ): void {
    const { accessLog, clock, region } = this.#options
    const logging = bucket?.configuration?.logging
    if (accessLog === undefined || logging === undefined) return
    if (bucket === undefined || operation === undefined || address === undefined) return
    const observed = {
      bucket,
      operation,
      address,
      exchange,
      url,
      identity,
      errorCode: outcome === 'OK' ? undefined : outcome,
      timeMs: clock.wallMs(),
      totalMs: durationMs,
    }
    accessLog.note(
      { bucket: bucket.name, ownerId: bucket.ownerId, region, logging },
      accessRecordOf(observed),
    )
  }

  async #answer(incoming: Incoming, exchange: Exchange, progress: Progress): Promise<void> {
    const { limits, router, websiteDomains } = this.#options
    if (this.#inFlight > limits.requestsInFlightMax) {
      throw new S3Error('SlowDown', undefined, {
        headers: { 'retry-after': String(limits.retryAfterSeconds) },
      })
    }
    const { raw } = incoming
    const method = raw.method ?? ''
    // node joins duplicates of every header but set-cookie, which no request carries.
    const headers = raw.headers as Headers
    const target = parseAddress(incoming.url, raw.headers.host, this.#domains)
    progress.address = target
    const call = { requestId: exchange.requestId, signal: exchange.signal }
    const isVisit = method !== 'OPTIONS' && bucketOfHost(raw.headers.host, websiteDomains) !== ''
    if (isVisit) return this.#visit({ address: target, headers, exchange, call }, incoming, progress)
    if (this.#query?.takes({ method, address: target, headers }) === true) {
      progress.query = await this.#serveQuery(this.#query, { address: target, headers, exchange })
      return
    }
    const operation = router({ method, address: target, headers })
    progress.operation = operation
    if (operation.kind === 'open') return this.#open({ operation, address: target, headers, exchange, call })
    await this.#allowCrossOrigin({ method, address: target, headers, exchange, call })
    const anyRegion = operation.anyRegion ?? false
    const entered = await this.#enter(operation, exchange, { method, address: target, headers, anyRegion })
    const { authenticated, address } = entered
    progress.address = address
    progress.identity = authenticated.identity
    if (operation.kind === 'planned') {
      // What we cannot do we cannot grant to everybody either.
      if (authenticated.identity.kind === 'anonymous') throw new S3Error('AccessDenied')
      throw new S3Error('NotImplemented', `${operation.name} is not implemented.`)
    }
    if (address.bucket !== '') checkBucketName(address.bucket)
    checkKey(address.key)
    const context = this.#context(authenticated.identity, {
      ...call,
      ...raisedBy(operation, authenticated.identity, raw),
    })
    const access = this.#access(authenticated, { address, raw, nowMs: context.nowMs })
    const run = await this.#prepare(operation, context, {
      address,
      access,
      headers: authenticated.headers,
      progress,
    })
    const request = await this.#request(operation, entered, exchange)
    try {
      await this.#answers.run(operation, exchange, () => run(request))
    } finally {
      request.close()
    }
  }

  #context(identity: Identity, call: CallContext): OperationContext {
    const { store, accounts, bucketDefaults, region, limits, eventTargets, clock } = this.#options
    const nowMs = clock.wallMs()
    return { store, call, identity, accounts, bucketDefaults, region, limits, nowMs, eventTargets }
  }

  /** A visit to a bucket's website: what everybody may read of it, whoever signs what. Queries mean nothing there. */
  async #visit(asked: AskedOpenly, { raw, url }: Incoming, progress: Progress): Promise<void> {
    const { exchange, call, address } = asked
    const method = raw.method ?? ''
    await this.#allowCrossOrigin({ ...asked, method })
    const { response, error } = await answerVisit({
      method,
      protocol: this.#options.secure ? 'https' : 'http',
      host: asked.headers.host ?? '',
      key: address.key,
      url,
      requestId: exchange.requestId,
      hostId: exchange.hostId,
      website: async () => {
        checkBucketName(address.bucket)
        return (await this.#findBucket(address.bucket, call)).configuration?.website
      },
      read: (key, { whole }) => this.#readPage({ asked, raw, key, whole }, progress),
    })
    progress.told = error
    if (error?.code === 'InternalError') this.#answers.log(error, exchange, progress)
    await this.#answers.send(exchange, response)
  }

  /** GetObject or HeadObject of one object by everybody. */
  async #readPage(
    page: {
      readonly asked: AskedOpenly
      readonly raw: IncomingMessage
      readonly key: string
      whole: boolean
    },
    progress: Progress,
  ): Promise<S3Response> {
    const { asked, raw, key } = page
    checkKey(key)
    const address: Address = { ...asked.address, key, query: [] }
    const headers = pageHeaders(asked.headers, page.whole)
    const operation = this.#options.router({ method: raw.method ?? '', address, headers })
    progress.operation = operation
    if (operation.kind !== 'bucket') throw new Error(`${operation.name} reads no object`)
    const context = this.#context(anonymous, asked.call)
    const access = this.#access({ identity: anonymous, headers }, { address, raw, nowMs: context.nowMs })
    const run = await this.#prepare(operation, context, { address, access, headers, progress })
    return run(new S3Request(this.#fields(address, headers)))
  }

  /** IAM and STS: a funnel of its own behind the same door; its errors are its own, too. */
  async #serveQuery(
    query: QueryApi,
    asked: { readonly address: Address; readonly headers: Headers; readonly exchange: Exchange },
  ): Promise<QueryAnswer> {
    const { address, headers, exchange } = asked
    const { wire, requestId, raw } = exchange
    const nowMs = this.#options.clock.wallMs()
    const keysOf: QueryRequest['keysOf'] = ({ identity, action, more }) => {
      const facts = this.#facts({ identity, headers }, { address, raw, nowMs })
      return new RequestKeys(facts, {
        action,
        resourceAccountId: identity.accountId,
        documentKeys: more,
      })
    }
    const answer = await query.serve({
      address,
      headers,
      requestId,
      nowMs,
      readBody: (bytesMax) => readWhole(wire, bytesMax),
      keysOf,
    })
    if (answer.fault !== undefined) {
      const { operation } = answer
      this.#options.logger?.error({ requestId, operation, cause: answer.fault }, 'a request failed inside')
    }
    exchange.sendWhole(answer.status, { 'content-type': 'text/xml' }, answer.body)
    return answer
  }

  /** What answers everybody is asked for nothing. */
  async #open(asked: AskedOpenly & { operation: OpenOperation }): Promise<void> {
    const { operation, address, headers, exchange, call } = asked
    const { store, accounts, bucketDefaults, region, limits, clock } = this.#options
    const context = { store, call, accounts, bucketDefaults, region, limits, nowMs: clock.wallMs() }
    const request = new S3Request(this.#fields(address, headers))
    await this.#answers.run(operation, exchange, () => operation.run(request, context))
  }

  /**
   * Lets the page that asks read the answer, errors too, if the bucket's rules do. Comes before authentication, which
   * may end in an error that the page must be able to read.
   */
  async #allowCrossOrigin(asked: AskedOpenly & { method: string }): Promise<void> {
    const { method, address, headers, exchange, call } = asked
    const origin = crossOriginOf(method, headers)
    if (origin === undefined || !isBucketName(address.bucket)) return
    const rules = (await this.#options.store.findBucket(address.bucket, call))?.configuration?.cors
    if (rules !== undefined) exchange.sayAlways(corsHeaders(rules, origin) ?? { vary: corsVary })
  }

  #fields(address: Address, headers: Headers) {
    const { secure, confidential } = this.#options
    return {
      bucketName: address.bucket,
      key: address.key,
      headers,
      query: address.query,
      origin: `${secure ? 'https' : 'http'}://${headers.host ?? ''}`,
      virtualHost: address.virtualHost,
      confidential,
    }
  }

  /** Who sends it, by headers or query, or by the fields of a form. */
  async #enter(operation: Operation, exchange: Exchange, request: Unauthenticated): Promise<Entered> {
    const { address, headers } = request
    if (operation.kind === 'planned' || operation.body !== 'form') {
      return { authenticated: await this.#authenticator.authenticate(request), address, form: undefined }
    }
    const { wire } = exchange
    const { limits } = this.#options
    const { fields, key, file } = await readPostForm({ wire, headers, bucketName: address.bucket, limits })
    const authenticated = await this.#authenticator.authenticateForm(request, fields)
    const body = { wire: file, ...fileBounds(file, authenticated.range, limits) }
    return { authenticated, address: { ...address, key }, form: { fields, body } }
  }

  #access(
    authenticated: Pick<Authenticated, 'identity' | 'headers'>,
    about: { readonly address: Address; readonly raw: IncomingMessage; readonly nowMs: number },
  ): RequestAccess {
    return new RequestAccess(this.#facts(authenticated, about), this.#policies)
  }

  #facts(
    { identity, headers }: Pick<Authenticated, 'identity' | 'headers'>,
    about: { readonly address: Address; readonly raw: IncomingMessage; readonly nowMs: number },
  ): RequestFacts {
    const { socket } = about.raw
    const tlsVersion = socket instanceof TLSSocket ? socket.getProtocol()?.replace('TLSv', '') : undefined
    return {
      identity,
      headers,
      query: about.address.query,
      sourceIp: remoteIp(about.raw),
      secure: this.#options.secure,
      tlsVersion,
      nowMs: about.nowMs,
      region: this.#options.region,
    }
  }

  /**
   * Access is decided here, before a byte of the body is read; but for what policies ask of a document in the body,
   * which is read first then, bounded as it is.
   */
  async #prepare(
    operation: BucketOperation | ServiceOperation,
    context: OperationContext,
    about: {
      readonly address: Address
      readonly access: RequestAccess
      readonly headers: Headers
      readonly progress: Progress
    },
  ): Promise<(request: S3Request) => Promise<S3Response>> {
    const { address, access, headers } = about
    const asked = { headers, query: address.query }
    if (operation.kind === 'service') {
      admitService(operation, { ...asked, bucketName: address.bucket }, access)
      return (request) => operation.run(request, context)
    }
    const { store, call, nowMs } = context
    const findBucket = (name: string): Promise<Bucket> => this.#findBucket(name, call)
    const bucket = await findBucket(address.bucket)
    about.progress.bucket = bucket
    const subject = { bucket, key: address.key }
    const gate = new BucketGate({ operation, subject, asked, access, store, call, findBucket })
    const { documentKeys } = operation
    if (documentKeys === undefined) await gate.open()
    const bucketContext: BucketContext = { ...context, bucket, ...gate.functions }
    return async (request) => {
      if (documentKeys !== undefined) await gate.open(documentKeys(request, nowMs))
      const owner = headers['x-amz-expected-bucket-owner']
      if (owner !== undefined && owner !== bucket.ownerId) throw new S3Error('AccessDenied')
      return gate.pass(() => operation.run(request, bucketContext))
    }
  }

  async #findBucket(name: string, call: CallContext): Promise<Bucket> {
    const bucket = await this.#options.store.findBucket(name, call)
    if (bucket === undefined || bucket.state === 'creating') throw new S3Error('NoSuchBucket')
    return bucket
  }

  async #request(
    operation: BucketOperation | ServiceOperation,
    { authenticated, address, form }: Entered,
    exchange: Exchange,
  ): Promise<S3Request> {
    const { headers, payload } = authenticated
    const { limits } = this.#options
    const fields = this.#fields(address, headers)
    if (operation.body === 'none') return new S3Request(fields)
    if (form !== undefined) {
      const body = new UploadBody({ ...form.body, headers, payload, limits, checksum: true })
      return new S3Request({ ...fields, form: form.fields, body })
    }
    const optional = operation.body === 'xml'
    const bytes = announcedBytes(headers, payload, { bytesMax: limits.objectBytesMax, optional })
    const checksum = operation.bodyChecksum ?? true
    const body = new UploadBody({ wire: exchange.wire, headers, payload, bytes, limits, checksum })
    if (operation.body === 'object') return new S3Request({ ...fields, body })
    const document = await collectBody(body, operation.documentBytesMax ?? limits.xmlBytesMax).finally(() =>
      body.close(),
    )
    return new S3Request({ ...fields, body, document })
  }
}

/** What notification targets are told of it. */
function raisedBy(
  { raises }: BucketOperation | ServiceOperation,
  identity: Identity,
  raw: IncomingMessage,
): Pick<CallContext, 'raises'> {
  if (raises === undefined) return {}
  const principalId = identity.kind === 'anonymous' ? 'Anonymous' : identity.userId
  return { raises: { event: raises, principalId, sourceIp: remoteIp(raw) } }
}

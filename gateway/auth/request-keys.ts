/**
 * The context keys of a request: what conditions and variables of policies may ask of it.
 *
 * A key that has no meaning for an action is absent, however the client words the request: otherwise a query or header
 * that the action ignores could satisfy a condition. Values come from what was signed, from the connection and from
 * what is stored; nothing is taken from headers that a proxy would set.
 * Source: IAM User Guide, "AWS global condition context keys"; Service Authorization Reference, "Amazon S3".
 */
import type { Tags } from '../../node/core/bucket-configuration.ts'
import { type QueryPairs, queryValue } from '../s3/address.ts'
import { parseAmzDate } from '../s3/dates.ts'
import type { Headers } from '../s3/headers.ts'
import { decodeTaggingHeader } from '../s3/tagging.ts'
import type { Identity } from './identity.ts'
import type { ContextKeys } from './policy/keys.ts'

/** What is known of a request, whatever it is about. */
export interface RequestFacts {
  readonly identity: Identity
  /** With hoisted ones, for presigned requests. */
  readonly headers: Headers
  readonly query: QueryPairs
  /** As the socket says; IPv4 in its own form. */
  readonly sourceIp: string
  readonly secure: boolean
  /** `1.3`; undefined: not TLS. */
  readonly tlsVersion: string | undefined
  readonly nowMs: number
  readonly region: string
}

/** What one decision is about, beside the request. */
export interface SubjectFacts {
  readonly action: string
  /** Account of the bucket. */
  readonly resourceAccountId: string
  /** Tags of the stored object, when they are known. */
  readonly existingTags?: Tags | undefined
  /** Instead of the request's own: for decisions that follow from it. */
  readonly prefix?: string | undefined
  /** Keys that come from the document in the body, by lower-case name. */
  readonly documentKeys?: Readonly<Record<string, readonly string[]>> | undefined
}

type Values = readonly string[] | undefined

const listActions = new Set(['s3:ListBucket', 's3:ListBucketVersions', 's3:ListBucketMultipartUploads'])

function isWrite(action: string): boolean {
  return action.startsWith('s3:Put') || action === 's3:CreateBucket'
}

function one(value: string | undefined): Values {
  return value === undefined ? undefined : [value]
}

/** Source of a copy as policies write it: `bucket/key`, decoded. */
function copySource(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const [path = ''] = header.split('?versionId=', 1)
  const text = Buffer.from(path, 'latin1').toString('utf8')
  try {
    return decodeURIComponent(text).replace(/^\//, '')
  } catch {
    // Not decodable: the operation refuses it.
    return text
  }
}

function principalType(identity: Identity): string {
  if (identity.kind === 'anonymous') return 'Anonymous'
  if (identity.kind === 'role') return 'AssumedRole'
  return identity.isRoot ? 'Account' : 'User'
}

/** Tags that a write brings in its header; malformed ones are the operation's to refuse. */
function headerTags(headers: Headers): Tags {
  try {
    return decodeTaggingHeader(headers['x-amz-tagging'])
  } catch {
    return {}
  }
}

export class RequestKeys implements ContextKeys {
  readonly #facts: RequestFacts
  readonly #subject: SubjectFacts

  constructor(facts: RequestFacts, subject: SubjectFacts) {
    this.#facts = facts
    this.#subject = subject
  }

  get(name: string): Values {
    const ofDocument = this.#subject.documentKeys?.[name]
    if (ofDocument !== undefined) return ofDocument
    if (name.startsWith('s3:')) return this.#s3(name)
    const ofIdentity = this.#facts.identity.contextKeys?.[name]
    return ofIdentity ?? this.#global(name)
  }

  #global(name: string): Values {
    const { identity, headers, nowMs } = this.#facts
    switch (name) {
      case 'aws:currenttime':
        return [new Date(nowMs).toISOString()]
      case 'aws:epochtime':
        return [String(Math.floor(nowMs / 1000))]
      case 'aws:sourceip':
        return one(this.#facts.sourceIp === '' ? undefined : this.#facts.sourceIp)
      case 'aws:securetransport':
        return [String(this.#facts.secure)]
      case 'aws:referer':
        return one(headers.referer)
      case 'aws:useragent':
        return one(headers['user-agent'])
      case 'aws:requestedregion':
        return [this.#facts.region]
      case 'aws:resourceaccount':
        return [this.#subject.resourceAccountId]
      case 'aws:principaltype':
        return [principalType(identity)]
      case 'aws:principalisawsservice':
      case 'aws:viaawsservice':
        return ['false']
    }
    return identity.kind === 'anonymous' ? undefined : this.#principal(name)
  }

  #principal(name: string): Values {
    const { identity } = this.#facts
    switch (name) {
      case 'aws:principalarn':
        // Of a session: the role's, so that policies name roles and not sessions.
        return [identity.roleArn ?? identity.arn]
      case 'aws:principalaccount':
        return [identity.accountId]
      case 'aws:userid':
        return [identity.userId]
      case 'aws:username':
        return identity.kind === 'user' && !identity.isRoot ? [identity.userName] : undefined
      default:
        return undefined
    }
  }

  #s3(name: string): Values {
    const { headers, query } = this.#facts
    const { action } = this.#subject
    if (name.startsWith('s3:x-amz-')) return this.#header(name.slice('s3:'.length))
    if (name.startsWith('s3:existingobjecttag/')) {
      return this.#tag(this.#subject.existingTags, name.slice('s3:existingobjecttag/'.length))
    }
    if (name.startsWith('s3:requestobjecttag/')) {
      return isWrite(action)
        ? this.#tag(headerTags(headers), name.slice('s3:requestobjecttag/'.length))
        : undefined
    }
    switch (name) {
      case 's3:requestobjecttagkeys':
        return isWrite(action) ? Object.keys(headerTags(headers)) : undefined
      case 's3:prefix':
        return listActions.has(action)
          ? one(this.#subject.prefix ?? queryValue(query, 'prefix') ?? '')
          : undefined
      case 's3:delimiter':
        return listActions.has(action) ? one(queryValue(query, 'delimiter')) : undefined
      case 's3:max-keys':
        return listActions.has(action) ? one(queryValue(query, 'max-keys')) : undefined
      case 's3:versionid':
        return listActions.has(action) ? undefined : one(queryValue(query, 'versionId'))
      case 's3:if-match':
        return isWrite(action) ? one(headers['if-match']) : undefined
      case 's3:if-none-match':
        return isWrite(action) ? one(headers['if-none-match']) : undefined
      case 's3:resourceaccount':
        return [this.#subject.resourceAccountId]
      case 's3:tlsversion':
        return one(this.#facts.tlsVersion)
      case 's3:object-lock-mode':
        return isWrite(action) ? one(headers['x-amz-object-lock-mode']) : undefined
      case 's3:object-lock-legal-hold':
        return isWrite(action) ? one(headers['x-amz-object-lock-legal-hold']) : undefined
      case 's3:object-lock-retain-until-date':
        return isWrite(action) ? one(headers['x-amz-object-lock-retain-until-date']) : undefined
      case 's3:object-lock-remaining-retention-days':
        return isWrite(action)
          ? remainingDays(headers['x-amz-object-lock-retain-until-date'], this.#facts.nowMs)
          : undefined
    }
    return this.#facts.identity.kind === 'anonymous' ? undefined : this.#signature(name)
  }

  #signature(name: string): Values {
    const { headers, query, nowMs } = this.#facts
    const presigned = headers.authorization === undefined
    switch (name) {
      case 's3:authtype':
        return [presigned ? 'REST-QUERY-STRING' : 'REST-HEADER']
      case 's3:signatureversion':
        return ['AWS4-HMAC-SHA256']
      case 's3:signatureage': {
        const signedMs = presigned ? parseAmzDate(queryValue(query, 'X-Amz-Date') ?? '') : undefined
        return signedMs === undefined ? undefined : [String(Math.max(0, nowMs - signedMs))]
      }
      default:
        return undefined
    }
  }

  #header(name: string): Values {
    const { headers } = this.#facts
    if (name === 'x-amz-content-sha256') return one(headers[name])
    if (!isWrite(this.#subject.action)) return undefined
    return one(name === 'x-amz-copy-source' ? copySource(headers[name]) : headers[name])
  }

  /** Tag names keep their case in AWS, names of context keys do not: any case matches. */
  #tag(tags: Tags | undefined, name: string): Values {
    if (tags === undefined) return undefined
    const values = Object.entries(tags).flatMap(([key, value]) => (key.toLowerCase() === name ? [value] : []))
    return values.length === 0 ? undefined : values
  }
}

const dayMs = 86_400_000

/** Whole days from now until a date, as the policies of AWS count them. */
export function remainingDays(untilDate: string | undefined, nowMs: number): Values {
  const untilMs = untilDate === undefined ? Number.NaN : Date.parse(untilDate)
  return Number.isNaN(untilMs) ? undefined : [String(Math.ceil((untilMs - nowMs) / dayMs))]
}

/**
 * The documents that an owner attaches to a bucket, as the registry keeps them: typed values, checked by the gateway
 * before they get here. Optional fields are absent rather than empty, so that an answer repeats what was put.
 *
 * Field names are on disk and on the wire: append-only. What a document means is the business of whoever acts on it:
 * the gateway's preflight, its website, its writes, and the workers on the nodes.
 * Source: the data types of the Amazon S3 API Reference.
 */

export interface Tag {
  readonly key: string
  readonly value: string
}

export interface CorsRule {
  readonly id?: string
  readonly allowedOrigins: readonly string[]
  readonly allowedMethods: readonly string[]
  readonly allowedHeaders?: readonly string[]
  readonly exposeHeaders?: readonly string[]
  readonly maxAgeSeconds?: number
}

export interface WebsiteRedirectAll {
  readonly hostName: string
  readonly protocol?: 'http' | 'https'
}

export interface WebsiteRoutingRule {
  readonly condition?: {
    readonly keyPrefixEquals?: string
    readonly httpErrorCodeReturnedEquals?: number
  }
  /** At most one of the two replacements. */
  readonly redirect: {
    readonly hostName?: string
    readonly protocol?: 'http' | 'https'
    readonly httpRedirectCode?: number
    readonly replaceKeyPrefixWith?: string
    readonly replaceKeyWith?: string
  }
}

/** Either everything is redirected, or there is an index document. */
export type WebsiteConfiguration =
  | { readonly kind: 'redirect-all'; readonly redirectAll: WebsiteRedirectAll }
  | {
      readonly kind: 'pages'
      readonly indexSuffix: string
      readonly errorKey?: string
      readonly routingRules?: readonly WebsiteRoutingRule[]
    }

/** What is applied to objects that come without encryption headers of their own. */
export interface EncryptionRule {
  readonly algorithm: 'AES256' | 'aws:kms' | 'aws:kms:dsse'
  /** Only with a KMS algorithm; absent there: the federation's default key. */
  readonly kmsKeyId?: string
  readonly bucketKeyEnabled?: boolean
  /** Kinds of encryption that writes may not ask for. */
  readonly blockedTypes?: readonly ('NONE' | 'SSE-C')[]
}

export interface DefaultRetention {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE'
  readonly period: { readonly unit: 'days' | 'years'; readonly count: number }
}

export interface LoggingGrant {
  readonly grantee:
    | { readonly kind: 'user'; readonly id: string; readonly displayName?: string }
    | { readonly kind: 'group'; readonly uri: string }
    | { readonly kind: 'email'; readonly address: string }
  readonly permission: 'FULL_CONTROL' | 'READ' | 'WRITE'
}

export interface LoggingConfiguration {
  readonly targetBucket: string
  readonly targetPrefix: string
  readonly targetGrants?: readonly LoggingGrant[]
  readonly keyFormat?: 'simple' | 'partitioned-by-event-time' | 'partitioned-by-delivery-time'
}

export interface NotificationTarget {
  readonly id: string
  readonly kind: 'topic' | 'queue' | 'function'
  /** The ARN as the client gave it. */
  readonly arn: string
  /** Event names with their `s3:`, wild cards at the end as in `s3:ObjectCreated:*`. */
  readonly events: readonly string[]
  /** Of the object's key; both must hold. */
  readonly keyPrefix?: string
  readonly keySuffix?: string
}

export interface NotificationConfiguration {
  readonly targets: readonly NotificationTarget[]
  /** Every event goes to the event bus, too. */
  readonly eventBridge?: boolean
}

/** Which objects a lifecycle rule is about: all that stand here must hold. */
export interface LifecycleFilter {
  readonly prefix?: string
  readonly tags?: readonly Tag[]
  /** Bytes; the object is larger than this. */
  readonly sizeGreaterThan?: number
  /** Bytes; the object is smaller than this. */
  readonly sizeLessThan?: number
}

export interface LifecycleRule {
  readonly id: string
  readonly enabled: boolean
  readonly filter: LifecycleFilter
  /** Written in the old form, with the prefix beside the actions; only told back, it changes nothing. */
  readonly legacyPrefix?: boolean
  /** Of the current version: exactly one of the three. Dates are a midnight, milliseconds since 1970, UTC. */
  readonly expiration?: {
    readonly days?: number
    readonly dateMs?: number
    readonly expiredObjectDeleteMarker?: boolean
  }
  readonly noncurrentVersionExpiration?: {
    readonly noncurrentDays: number
    /** So many newer noncurrent versions are kept, however old they are. */
    readonly newerNoncurrentVersions?: number
  }
  readonly abortIncompleteUploads?: { readonly daysAfterInitiation: number }
}

export interface LifecycleConfiguration {
  readonly rules: readonly LifecycleRule[]
}

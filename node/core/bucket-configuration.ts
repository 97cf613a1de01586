/**
 * What a bucket is told to do, beside holding objects: its write rules, and its named configuration documents.
 *
 * Write rules decide about every write of a key (versioning, Object Lock); they live in the registry and, by revision,
 * in every catalog group, which alone applies them. Documents (policy, lifecycle, CORS ...) are read by gateways and
 * workers from the registry and may be seconds old there. Field names are on disk and on the wire: append-only.
 *
 * Types only: what makes a document valid for S3 is the gateway's to check (gateway/s3), the registry bounds its size.
 */

export type VersioningState = 'Off' | 'Enabled' | 'Suspended'

export type RetentionMode = 'GOVERNANCE' | 'COMPLIANCE'

/** Until then a version can be neither removed nor replaced. */
export interface Retention {
  readonly mode: RetentionMode
  /** Wall clock, ms. */
  readonly untilMs: number
}

/** Default retention for versions that say nothing themselves: exactly one of `days` and `years`. */
export interface DefaultRetention {
  readonly mode: RetentionMode
  readonly days?: number
  readonly years?: number
}

export interface WriteRules {
  /** Rises with every change; 0: as created, versioning off. */
  readonly revision: number
  readonly versioning: VersioningState
  /** Present: Object Lock is on, for good; versioning is Enabled and stays so. */
  readonly objectLock?: { readonly defaultRetention?: DefaultRetention }
}

export const initialWriteRules: WriteRules = { revision: 0, versioning: 'Off' }

/** Names and values as S3 has them; names are unique. */
export type Tags = Readonly<Record<string, string>>

export type AclPermission = 'FULL_CONTROL' | 'READ' | 'WRITE' | 'READ_ACP' | 'WRITE_ACP'

export type Grantee =
  /** `id`: canonical, as in `Bucket.ownerId`. */
  | { readonly kind: 'user'; readonly id: string }
  | { readonly kind: 'all-users' | 'authenticated-users' | 'log-delivery' }

/** Access control list of a bucket or an object version. Absent: the owner has FULL_CONTROL, nobody else anything. */
export interface Acl {
  readonly grants: readonly { readonly grantee: Grantee; readonly permission: AclPermission }[]
}

export interface PublicAccessBlock {
  readonly blockPublicAcls: boolean
  readonly ignorePublicAcls: boolean
  readonly blockPublicPolicy: boolean
  readonly restrictPublicBuckets: boolean
}

export type ObjectOwnership = 'BucketOwnerEnforced' | 'BucketOwnerPreferred' | 'ObjectWriter'

export interface LifecycleFilter {
  /** Absent: ''. */
  readonly prefix?: string
  /** All of them must be on the version. */
  readonly tags?: Tags
  /** Exclusive bounds. */
  readonly bytesAbove?: number
  readonly bytesBelow?: number
}

export interface LifecycleRule {
  readonly id: string
  readonly enabled: boolean
  readonly filter: LifecycleFilter
  /** How the client wrote the filter, so that it gets back what it sent: absent: `Filter`. */
  readonly filterForm?: 'prefix' | 'and'
  /** Of the current version: exactly one of these. */
  readonly expiration?: {
    readonly days?: number
    /** Midnight UTC, ms. */
    readonly dateMs?: number
    readonly expiredObjectDeleteMarker?: boolean
  }
  readonly noncurrentExpiration?: { readonly days: number; readonly newerVersions?: number }
  readonly abortUploadsAfterDays?: number
}

export interface CorsRule {
  readonly id?: string
  readonly allowedOrigins: readonly string[]
  readonly allowedMethods: readonly string[]
  readonly allowedHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly maxAgeSeconds?: number
}

export interface WebsiteRedirect {
  readonly protocol?: 'http' | 'https'
  readonly hostName?: string
  readonly replaceKeyPrefixWith?: string
  readonly replaceKeyWith?: string
  readonly httpRedirectCode?: number
}

/** Either `redirectAll`, or an index document with the rest. */
export interface Website {
  readonly redirectAll?: { readonly hostName: string; readonly protocol?: 'http' | 'https' }
  readonly indexSuffix?: string
  readonly errorKey?: string
  readonly routingRules?: readonly {
    readonly keyPrefixEquals?: string
    readonly httpErrorCodeEquals?: number
    readonly redirect: WebsiteRedirect
  }[]
}

/** Default encryption of new objects. AES256: under the bucket's key. aws:kms: under a named key of the KMS. */
export interface DefaultEncryption {
  readonly algorithm: 'AES256' | 'aws:kms'
  readonly kmsKeyId?: string
  readonly bucketKey?: boolean
  /** New objects under customers' keys (SSE-C) are refused. */
  readonly blockCustomerKeys?: true
}

export interface Logging {
  readonly targetBucket: string
  readonly targetPrefix: string
  readonly grants?: Acl['grants']
  /** `simple`: prefix, then time. `partitioned`: by account, region, bucket and day of the event or its delivery. */
  readonly keyFormat?: 'simple' | { readonly partitionedBy: 'EventTime' | 'DeliveryTime' }
}

export interface NotificationRule {
  readonly id: string
  readonly kind: 'topic' | 'queue' | 'function'
  /** ARN of the target as the client wrote it. */
  readonly target: string
  readonly events: readonly string[]
  readonly filter?: {
    readonly prefix?: string
    readonly suffix?: string
  }
}

/** Bounds of what a bucket may hold; a write that would exceed one is refused. */
export interface Quota {
  readonly bytesMax?: number
  readonly objectsMax?: number
}

/** Named documents of a bucket; a name that is absent was never set. */
export interface BucketConfiguration {
  /** JSON text as the client sent it. */
  readonly policy?: string
  readonly acl?: Acl
  readonly publicAccessBlock?: PublicAccessBlock
  readonly objectOwnership?: ObjectOwnership
  /** The ownership is that of the gateway's defaults: nobody chose it. */
  readonly ownershipImplied?: true
  readonly tags?: Tags
  readonly cors?: readonly CorsRule[]
  readonly lifecycle?: readonly LifecycleRule[]
  readonly website?: Website
  readonly encryption?: DefaultEncryption
  readonly logging?: Logging
  readonly notifications?: readonly NotificationRule[]
  /** Every event goes to the event bus, too. */
  readonly eventBridge?: true
  /** Switched off by somebody; there is nothing to switch on. */
  readonly acceleration?: 'Suspended'
  readonly quota?: Quota
}

export type ConfigurationName = keyof BucketConfiguration

/** Documents to set; `null` removes one. */
export type ConfigurationChanges = {
  readonly [Name in ConfigurationName]?: Exclude<BucketConfiguration[Name], undefined> | null
}

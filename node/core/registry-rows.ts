/**
 * The rows of the registry group: their keys and the shapes of their values.
 *
 * | key                    | row                                                                    |
 * |------------------------|------------------------------------------------------------------------|
 * | `m`                    | the cluster map in force; absent: that of the genesis                  |
 * | `t`                    | number of the next statement; absent: 1                                |
 * | `s/<sequence>`         | a statement that was accepted, with its signatures: the membership's history |
 * | `u/<userId>`           | user                                                                   |
 * | `k/<accessKeyId>`      | credential                                                             |
 * | `c`                    | numbers of users and credentials                                       |
 * | `b/<name>`             | bucket                                                                 |
 * | `w/<ownerId>/<name>`   | index: buckets of an owner                                             |
 * | `n/<ownerId>`          | number of buckets of an owner                                          |
 * | `x/<bucketId>`         | removed bucket: its id never comes back                                |
 * | `l/<email>`            | index: account whose root has that e-mail address, in lower case       |
 *
 * Groups, roles and policies have rows of their own: access-rows.ts.
 * Ids and names contain no slash (registry-check.ts), so keys cannot run into each other.
 */
import type { SubjectPolicies } from './access-types.ts'
import type { ClusterMap } from './cluster-map.ts'
import type { Bucket, Credential, SignedStatement, User } from './registry-types.ts'

/** The bounds of the registry, each with its reason. */
export const registryLimits = {
  /** Per owner; AWS's default was 100 for long and is 10,000 now. Every bucket is a row in every catalog group. */
  bucketsPerOwnerMax: 1000,
  /** Officers and machines of one federation; all are listed in one answer. */
  usersMax: 10_000,
  credentialsMax: 50_000,
  /** Buckets in one answer: S3's ListBuckets page. */
  bucketsPageMax: 10_000,
  /** All documents of a bucket, packed: a policy of 20 KiB, 1,000 lifecycle rules, 100 CORS rules; every gateway caches it. */
  configurationBytesMax: 512 * 1024,
  /** A secret or key, wrapped. */
  sealedBytesMax: 4096,
  signaturesMax: 100,
} as const

export interface MapRow {
  readonly map: ClusterMap
}

export interface SequenceRow {
  readonly next: number
}

export interface StatementRow {
  readonly signed: SignedStatement
  /** Epoch of the map that it made. */
  readonly epoch: number
}

export interface UserRow {
  readonly user: User
  /** Ids of the user's access keys. */
  readonly keys?: readonly string[]
  /** Ids of the groups that the user is in. */
  readonly groups?: readonly string[]
  readonly policies?: SubjectPolicies
}

export interface CredentialRow {
  readonly credential: Credential
}

export interface EmailRow {
  readonly accountId: string
}

export interface CountsRow {
  readonly users: number
  readonly credentials: number
}

export interface BucketRow {
  readonly bucket: Bucket
}

export interface OwnerRow {
  readonly buckets: number
}

const sequenceDigits = 12

export const registryKeys = {
  map: 'm',
  sequence: 't',
  counts: 'c',
  statement: (sequence: number) => `s/${String(sequence).padStart(sequenceDigits, '0')}`,
  user: (userId: string) => `u/${userId}`,
  credential: (accessKeyId: string) => `k/${accessKeyId}`,
  bucket: (name: string) => `b/${name}`,
  bucketOf: (ownerId: string, name: string) => `w/${ownerId}/${name}`,
  owner: (ownerId: string) => `n/${ownerId}`,
  removed: (bucketId: string) => `x/${bucketId}`,
  email: (email: string) => `l/${email.toLowerCase()}`,
} as const

/**
 * Reads of the registry. The host decides how fresh its rows must be.
 *
 * The map of the genesis is not in the rows: whoever asks has that document, and is told about newer maps only.
 */
import { ClusterError } from '../errors.ts'
import { answerAccessQuery } from './access-queries.ts'
import { prefixEnd } from './byte-order.ts'
import { wrongWithRegistryQuery } from './registry-check.ts'
import {
  type BucketRow,
  type CredentialRow,
  type MapRow,
  registryKeys,
  type SequenceRow,
  type UserRow,
} from './registry-rows.ts'
import type { Bucket, RegistryAnswers, RegistryQuery, User } from './registry-types.ts'
import { decodeRow } from './row-codec.ts'
import type { RowReader, RowSource } from './rows.ts'

type Query<K extends RegistryQuery['kind']> = Extract<RegistryQuery, { kind: K }>

/** Answers a query. Throws ClusterError BadMessage for a malformed one. */
export async function answerRegistryQuery<K extends RegistryQuery['kind']>(
  source: RowSource,
  query: Query<K>,
): Promise<RegistryAnswers[K]>
export async function answerRegistryQuery(
  source: RowSource,
  query: RegistryQuery,
): Promise<RegistryAnswers[RegistryQuery['kind']]> {
  const wrong = wrongWithRegistryQuery(query)
  if (wrong !== undefined) throw new ClusterError('BadMessage', `registry query${wrong}`)
  switch (query.kind) {
    case 'map': {
      const map = read<MapRow>(source, registryKeys.map)?.map
      return { map: map !== undefined && map.epoch > query.newerThan ? map : undefined }
    }
    case 'bucket':
      return { bucket: read<BucketRow>(source, registryKeys.bucket(query.name))?.bucket }
    case 'buckets':
      return listBuckets(source, query)
    case 'credential': {
      const credential = read<CredentialRow>(source, registryKeys.credential(query.accessKeyId))?.credential
      const userKey = registryKeys.user(credential?.userId ?? '')
      return { credential, user: credential === undefined ? undefined : read<UserRow>(source, userKey)?.user }
    }
    case 'users':
      return { users: await listUsers(source) }
    case 'next-sequence':
      return { sequence: read<SequenceRow>(source, registryKeys.sequence)?.next ?? 1 }
    default:
      return answerAccessQuery(source, query)
  }
}

/** By name, those of one owner or all; a bucket that is removed meanwhile is left out. */
async function listBuckets(source: RowSource, query: Query<'buckets'>): Promise<RegistryAnswers['buckets']> {
  const { ownerId, after, limit } = query
  const family = ownerId === undefined ? registryKeys.bucket('') : registryKeys.bucketOf(ownerId, '')
  const buckets: Bucket[] = []
  if (limit === 0) return { buckets, truncated: false }
  const gte = after === '' ? family : `${family}${after}\u0000`
  let seen = 0
  for await (const row of source.scan({ gte, lt: prefixEnd(family), limit: limit + 1 })) {
    seen += 1
    if (seen > limit) return { buckets, truncated: true }
    const bucket = read<BucketRow>(source, registryKeys.bucket(row.key.slice(family.length)))?.bucket
    if (bucket !== undefined && (ownerId === undefined || bucket.ownerId === ownerId)) buckets.push(bucket)
  }
  return { buckets, truncated: false }
}

async function listUsers(source: RowSource): Promise<User[]> {
  const users: User[] = []
  const family = registryKeys.user('')
  for await (const row of source.scan({ gte: family, lt: prefixEnd(family) })) {
    users.push(decodeRow<UserRow>(row.value).user)
  }
  return users
}

function read<T extends object>(rows: RowReader, key: string): T | undefined {
  const bytes = rows.get(key)
  return bytes === undefined ? undefined : decodeRow<T>(bytes)
}

/**
 * What a well-formed registry command and query look like; what is not is answered with BadMessage.
 */
import {
  accessCommands,
  keyId as accessKeyId,
  accessQueries,
  entityId as userId,
  userShape,
} from './access-check.ts'
import { configurationShape, writeRulesChange, writeRulesShape } from './bucket-configuration-check.ts'
import { nodeShape } from './map-check.ts'
import { registryLimits } from './registry-rows.ts'
import type { RegistryCommand, RegistryQuery } from './registry-types.ts'
import {
  bytes,
  dictionary,
  exactRecord,
  integer,
  list,
  matching,
  oneOf,
  record,
  type Shape,
  text,
  union,
} from './shape.ts'

/** AWS's rules for names are the gateway's to check; this only keeps keys apart. */
const bucketName = matching(/^[a-z0-9][a-z0-9.-]{1,62}$/)
const bucketId = matching(/^[0-9a-f]{1,64}$/)
const sealed = bytes(registryLimits.sealedBytesMax)
const bucketState = oneOf('creating', 'active', 'deleting')
const nodeId = text(63)

const change = union({
  'admit-node': exactRecord({ kind: oneOf('admit-node'), node: nodeShape }),
  'set-node-state': exactRecord({
    kind: oneOf('set-node-state'),
    nodeId,
    state: oneOf('active', 'draining', 'suspended'),
  }),
  'remove-node': exactRecord({ kind: oneOf('remove-node'), nodeId }),
})

const bucket = record(
  {
    name: bucketName,
    bucketId,
    ownerId: userId,
    createdMs: integer(0, 8.64e15),
    poolId: text(63),
    wrappedKey: sealed,
    state: bucketState,
    attempt: integer(0),
  },
  { writeRules: writeRulesShape, configuration: configurationShape },
)

const commands: Readonly<Record<RegistryCommand['kind'], Shape>> = {
  statement: record({
    signed: record({
      statement: exactRecord({ federationId: text(64), sequence: integer(1), change }),
      signatures: dictionary(text(256), { max: registryLimits.signaturesMax }),
    }),
  }),
  'put-user': record(
    {
      user: userShape,
      credential: record({ accessKeyId, userId, sealedSecret: sealed, state: oneOf('active', 'disabled') }),
    },
    { by: text(2048) },
  ),
  'disable-credential': record({ accessKeyId }),
  'reserve-bucket': record({ bucket }),
  'set-bucket-state': record({
    name: bucketName,
    bucketId,
    from: list(bucketState, { min: 1, max: 3 }),
    to: bucketState,
  }),
  'remove-bucket': record({ name: bucketName, bucketId, attempt: integer(0) }),
  'set-write-rules': record({ name: bucketName, bucketId, change: writeRulesChange }),
  'configure-bucket': record({ name: bucketName, bucketId, changes: configurationShape }),
  ...accessCommands,
}

const queries: Readonly<Record<RegistryQuery['kind'], Shape>> = {
  map: record({ newerThan: integer(0) }),
  bucket: record({ name: text(1024) }),
  buckets: record(
    { after: text(1024), limit: integer(0, registryLimits.bucketsPageMax) },
    { ownerId: text(1024) },
  ),
  credential: record({ accessKeyId: text(1024) }),
  users: record({}),
  'next-sequence': record({}),
  ...accessQueries,
}

/** What is wrong with a command, or undefined when it is a RegistryCommand. */
export const wrongWithRegistryCommand: Shape = union(commands)

/** What is wrong with a query, or undefined when it is a RegistryQuery. */
export const wrongWithRegistryQuery: Shape = union(queries)

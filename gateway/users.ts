/**
 * Users of S3: registers a person or machine and its access key, the secret sealed under the owner's key.
 */
import type { ClusterClient } from '../node/client.ts'
import type { Kms } from '../node/world.ts'
import { credentialContext } from './registry-credentials.ts'

export interface NewUser {
  readonly userId: string
  readonly name: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly email?: string | undefined
}

/** Idempotent: the same user and key may be registered again. Throws ClusterError when the registry does not answer. */
export async function registerUser(cluster: ClusterClient, kms: Kms, user: NewUser): Promise<void> {
  const { userId, name, accessKeyId, email } = user
  const sealedSecret = await kms.wrap(
    Buffer.from(user.secretAccessKey, 'utf8'),
    credentialContext(accessKeyId),
  )
  await cluster.router.proposeRegistry(`register-${accessKeyId}-${cluster.random.hex(4)}`, {
    kind: 'put-user',
    user: { userId, name, ...(email === undefined ? {} : { email }) },
    credential: { accessKeyId, userId, sealedSecret, state: 'active' },
  })
}

/**
 * Configuration of a gateway: one JSON file, read at start, checked as a whole.
 */
import { BlockList, isIP } from 'node:net'
import { z } from 'zod'
import { addressSchema, memberShape, readConfig } from '../node/config.ts'
import { transitName } from '../node/io/kms-transit.ts'
import { awsBucketDefaults, type BucketDefaults, classicBucketDefaults } from './bucket-defaults.ts'
import { webhooksSchema } from './notification/webhook.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** See node/io/kms-transit.ts. */
const transitSchema = z
  .object({
    kind: z.literal('transit'),
    url: z.url({ protocol: /^https?$/ }),
    mount: z
      .string()
      .regex(/^[\w-]+(\/[\w-]+)*$/)
      .default('transit'),
    tokenFile: z.string(),
    ownKey: z.string().regex(transitName),
    namedPrefix: z.string().regex(transitName).default('s3-'),
    defaultKey: z.string().regex(transitName).optional(),
    caFile: z.string().optional(),
    namespace: z
      .string()
      .regex(/^[\w-]+(\/[\w-]+)*$/)
      .optional(),
  })
  .refine(({ url }) => url.startsWith('https:') || isLoopback(new URL(url).hostname), {
    error: 'must be https, but on loopback',
    path: ['url'],
  })
  .refine(({ ownKey, namedPrefix, defaultKey }) => !ownKey.startsWith(namedPrefix) && ownKey !== defaultKey, {
    error: 'must be none that clients can name: neither begin with namedPrefix nor be defaultKey',
    path: ['ownKey'],
  })

const gatewaySchema = z.object({
  ...memberShape,
  /** Where S3 clients connect. */
  s3: addressSchema,
  /** Certificate and key (PEM) for S3 clients; absent: plain HTTP, only allowed on loopback. */
  s3Tls: z.object({ certificateFile: z.string(), keyFile: z.string() }).optional(),
  /**
   * A proxy that ends TLS stands before this gateway, on a network of the same owner: plain HTTP may carry customers'
   * keys (SSE-C), which AWS takes over TLS only. Not needed on loopback.
   */
  s3BehindTlsProxy: z.boolean().default(false),
  region: z.string().default('eu-central-1'),
  /** Host names under which buckets are addressed virtual-host style, e.g. `s3.example.org` => `<bucket>.s3.example.org`. */
  domains: z.array(z.string()).default(['localhost', 's3.localhost']),
  /** Host names under which buckets are visited as websites, e.g. `s3-website.example.org` => `<bucket>.s3-website.example.org`. */
  websiteDomains: z.array(z.string()).default(['s3-website.localhost']),
  /** Accepts POST forms whose policy is signed with HMAC-SHA1, as before Signature Version 4 (ops/decisions/0195). */
  legacyFormSignatures: z.boolean().default(false),
  /**
   * How new buckets begin: `aws` as AWS makes them (lists off, public access blocked), `classic` as before 2023; or
   * each setting by itself. See decision 0191.
   */
  bucketDefaults: z
    .union([
      z.enum(['aws', 'classic']),
      z.object({
        ownership: z.enum(['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter']).optional(),
        publicAccessBlock: z.boolean(),
      }),
    ])
    .default('aws'),
  /** Where events of buckets can be sent to, by the name that ends the ARN in a bucket's notification document. */
  eventTargets: webhooksSchema.default({}),
  /** An object of access log lines is delivered so long after its first line. AWS takes minutes to hours. */
  accessLogRollSeconds: z.number().int().min(1).max(86_400).default(300),
  /** The owner's key store: a file in the local federation, a service in earnest. */
  kms: z.discriminatedUnion('kind', [z.object({ kind: z.literal('file'), file: z.string() }), transitSchema]),
})

export type GatewayConfig = z.infer<typeof gatewaySchema>

/** Reads and checks a gateway's file; throws one Error naming the file and every bad field. */
export function readGatewayConfig(file: string): GatewayConfig {
  return readConfig(file, gatewaySchema, ['dataDir', 'genesis'])
}

/** Whether nobody between a client and this gateway can read a request. */
export function isConfidential(config: Pick<GatewayConfig, 's3' | 's3Tls' | 's3BehindTlsProxy'>): boolean {
  return config.s3Tls !== undefined || config.s3BehindTlsProxy || isLoopback(config.s3.host)
}

function isLoopback(host: string): boolean {
  // URLs write IPv6 in brackets.
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const version = isIP(bare)
  return version === 0 ? host === 'localhost' : loopback.check(bare, version === 6 ? 'ipv6' : 'ipv4')
}

export function bucketDefaultsOf({ bucketDefaults: set }: GatewayConfig): BucketDefaults {
  if (set === 'aws') return awsBucketDefaults
  if (set === 'classic') return classicBucketDefaults
  return { ownership: set.ownership, publicAccessBlock: set.publicAccessBlock }
}

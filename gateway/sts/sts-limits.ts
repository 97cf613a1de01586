/** Every bound of temporary credentials, with its reason. Those of AWS: STS API Reference. */
const hourMs = 3_600_000

export const stsLimits = {
  /** A key seals for so long: far below 2^32 tokens. */
  keySealsMs: 30 * 24 * hourMs,
  /** AWS: a session of GetSessionToken lives 36 hours at most; and an hour for clocks that differ. */
  keyOpensMs: 37 * hourMs,
  /** Forged tokens name keys that do not exist: the registry is asked for them at most so often. */
  keyReloadMs: 1_000,
  /** Larger ones than we seal do not fit into a request's headers. */
  tokenBytesMax: 12 * 1024,
  /** AWS: session policies, inline and of ARNs. */
  sessionPolicyCharactersMax: 2048,
  policyArnsMax: 10,
  /** AWS: tags of a session. */
  tagsMax: 50,
  durationSecondsMin: 900,
  roleSecondsDefault: 3600,
  /** AWS: a role assumed from a role's session. */
  chainedSecondsMax: 3600,
  tokenSecondsDefault: 43_200,
  tokenSecondsMax: 129_600,
  /** AWS: roots get an hour. */
  rootTokenSecondsMax: 3600,
  /** AWS: length of a web identity token. */
  webIdentityTokenBytesMax: 20_000,
  /** A provider's documents: discovery and keys. */
  providerDocumentBytesMax: 64 * 1024,
  providerTimeoutMs: 5_000,
  /** Keys of a provider are kept so long; a key that is unknown is asked for sooner, but not more often than below. */
  providerKeysMs: 10 * 60_000,
  providerReloadMs: 10_000,
  providersCachedMax: 100,
  /** Clocks of providers may differ from ours by so much. */
  tokenSkewSeconds: 60,
} as const

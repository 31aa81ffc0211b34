/** `npm test` runs a short form of what takes long; test/reliability/run.mjs the complete one, and says how. */
export const isComplete: boolean = process.env.CHAINKEEP_TEST_FORM === 'complete'
export const SEED: number = Number(process.env.CHAINKEEP_TEST_SEED ?? 1)
export const ROUNDS: number = Number(process.env.CHAINKEEP_TEST_ROUNDS ?? 1)
export const SECONDS: number = Number(process.env.CHAINKEEP_TEST_SECONDS ?? 60)
export const isOnDisk: boolean = process.env.CHAINKEEP_TEST_ON_DISK === 'true'

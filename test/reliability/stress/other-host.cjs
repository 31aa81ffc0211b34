// Loaded before the program: lets it believe that it runs on another host, whose clock is wrong.
const os = require('node:os')

const { CHAINKEEP_TEST_HOST: host, CHAINKEEP_TEST_SKEW_MS: skewMs } = process.env
const { now } = Date
os.hostname = () => host
Date.now = () => now() + Number(skewMs)

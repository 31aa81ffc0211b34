/** In MB of a million bytes, as disks and speeds are told. */
export const formatMegabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(Math.abs(bytes) < 100e6 ? 1 : 0)} MB`

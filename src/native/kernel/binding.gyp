{
  'targets': [
    {
      'target_name': 'kernel',
      'sources': [
        'addon.c',
        'crc32.c',
        'products-avx2.c',
        'products-gfni256.c',
        'products-gfni512.c',
        'products-implementations.c',
        'products-portable.c',
        'scan.c',
        'sha3-avx2.c',
        'sha3-avx512.c',
        'sha3-implementations.c',
        'sha3-neon.c',
        'sha3-portable.c',
        'xor.c',
      ],
      'cflags': ['-std=c11', '-O3', '-Wall', '-Wextra', '-fvisibility=hidden'],
      'xcode_settings': {
        'GCC_OPTIMIZATION_LEVEL': '3',
        'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
        'OTHER_CFLAGS': ['-std=c11', '-Wall', '-Wextra'],
      },
    },
  ],
}

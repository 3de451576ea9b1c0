#pragma once

/// 1 where this program was built with a sanitizer of addresses or threads, else 0. Each compiler says it its own way.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CELLROUTE_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CELLROUTE_SANITIZER 1
#endif
#endif
#ifndef CELLROUTE_SANITIZER
#define CELLROUTE_SANITIZER 0
#endif

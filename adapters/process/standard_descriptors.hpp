#pragma once

namespace cellroute::process {

/// Puts something below each of the descriptors 0 to 2 that is closed. Else a socket gets the number, and lines meant
/// for a person go into it. To be called before anything else is opened.
///
/// They are opened for reading only: what is written there fails, and is counted as lost by who writes.
void fill_standard_descriptors();

}  // namespace cellroute::process

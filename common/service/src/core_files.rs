//! No core files: a process that dies of a signal would leave its memory, and the secrets in it, on a disk. Call it first;
//! knows nothing of what the process does. What root may read of a living process is not its business.

use std::io;

use rlimit::Resource;

/// The limit in bytes. Of zero the kernel takes no notice when it hands a core to a program (`core_pattern` with `|`, such
/// as systemd-coredump or apport); a limit of one it knows as "hand it to nobody", and one byte is too little for a file.
const LIMIT: u64 = 1;

/// Forbids core files for this process and every one that it starts, for good.
///
/// # Errors
/// The operating system's; a limit can always be lowered.
pub fn forbid() -> io::Result<()> {
    let (_, hard) = rlimit::getrlimit(Resource::CORE)?;
    let limit = LIMIT.min(hard);
    rlimit::setrlimit(Resource::CORE, limit, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_lowered_for_good_and_lowering_it_again_is_no_fault() -> io::Result<()> {
        forbid()?;
        forbid()?;
        let (soft, hard) = rlimit::getrlimit(Resource::CORE)?;
        assert!(soft <= LIMIT && hard <= LIMIT, "{soft} {hard}");
        Ok(())
    }
}

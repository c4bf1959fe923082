"""Module names of Python 2.7 and what became of them in Python 3."""

import sys

# The standard library of CPython 2.7 (top level, all platforms).
PYTHON2_MODULES = frozenset(
    """
    BaseHTTPServer Bastion CDROM CGIHTTPServer Canvas Carbon ConfigParser Cookie DLFCN Dialog DocXMLRPCServer
    EasyDialogs FileDialog FixTk FrameWork HTMLParser IN MacOS MimeWriter Queue ScrolledText SimpleDialog
    SimpleHTTPServer SimpleXMLRPCServer SocketServer StringIO TYPES Tix Tkconstants Tkdnd Tkinter UserDict
    UserList UserString _LWPCookieJar _MozillaCookieJar __builtin__ __future__ __main__ _abcoll _ast _bisect
    _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _collections _csv _ctypes
    _ctypes_test _curses _curses_panel _elementtree _functools _hashlib _heapq _hotshot _io _json _locale
    _lsprof _md5 _multibytecodec _multiprocessing _osx_support _pyio _random _sha _sha256 _sha512 _socket
    _sqlite3 _sre _ssl _strptime _struct _subprocess _symtable _sysconfigdata _testcapi _threading_local
    _tkinter _warnings _weakref _weakrefset _winreg abc aepack aetools aetypes aifc al antigravity anydbm
    argparse array ast asynchat asyncore atexit audiodev audioop autoGIL base64 bdb binascii binhex bisect bsddb
    bsddb185 bz2 cPickle cProfile cStringIO calendar cd cgi cgitb chunk cmath cmd code codecs codeop collections
    colorsys commands compileall compiler contextlib cookielib copy copy_reg crypt csv ctypes curses datetime
    dbhash dbm decimal difflib dircache dis distutils dl doctest dumbdbm dummy_thread dummy_threading email
    encodings ensurepip errno exceptions fcntl filecmp fileinput findertools fl fm fnmatch formatter fpformat
    fractions ftplib functools future_builtins gc gdbm genericpath getopt getpass gettext gl glob grp gzip
    hashlib heapq hmac hotshot htmlentitydefs htmllib httplib idlelib ihooks imageop imaplib imghdr imp
    importlib imputil inspect io itertools jpeg json keyword lib2to3 linecache linuxaudiodev locale logging
    macostools macpath macurl2path mailbox mailcap markupbase marshal math md5 mhlib mimetools mimetypes mimify
    mmap modulefinder msvcrt multifile multiprocessing mutex netrc new nis nntplib nt ntpath nturl2path numbers
    opcode operator optparse os os2emxpath ossaudiodev parser pdb pickle pickletools pipes pkgutil platform
    plistlib popen2 poplib posix posixfile posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc
    pydoc_data pyexpat quopri random re readline repr resource rexec rfc822 rlcompleter robotparser runpy sched
    select sets sgi sgmllib sha shelve shlex shutil signal site smtpd smtplib sndhdr socket spwd sqlite3 sre
    sre_compile sre_constants sre_parse ssl stat statvfs string stringold stringprep strop struct subprocess
    sunau sunaudio sv symbol symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios test
    textwrap this thread threading time timeit tkColorChooser tkCommonDialog tkFileDialog tkFont tkMessageBox
    tkSimpleDialog toaiff token tokenize trace traceback ttk tty turtle types unicodedata unittest urllib
    urllib2 urlparse user uu uuid warnings wave weakref webbrowser whichdb winsound wsgiref xdrlib xml xmllib
    xmlrpclib xxsubtype zipfile zipimport zlib
    """.split()
)

# Still in the standard library of some Python 3, gone from it by 3.13: the inventory must not depend on the version
# that happens to run it.
LEAVING_MODULES = frozenset(
    """
    aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils formatter imghdr imp lib2to3 mailcap nis
    nntplib ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib uu xdrlib
    """.split()
)

# Submodules of packages that stayed.
REMOVED_SUBMODULES = frozenset(
    """
    email.Charset email.Encoders email.Errors email.Generator email.Header email.Iterators email.MIMEAudio
    email.MIMEBase email.MIMEImage email.MIMEMessage email.MIMEMultipart email.MIMENonMultipart email.MIMEText
    email.Message email.Parser email.Utils email.base64MIME email.quopriMIME
    xml.etree.cElementTree
    """.split()
)

# Importing one of these usually means that bytes and text meet: Python 3 keeps them apart.
BYTE_MODULES = frozenset(
    """
    StringIO base64 binascii bz2 cPickle cStringIO codecs csv gzip hashlib hmac httplib marshal md5 pickle sha
    socket struct subprocess telnetlib urllib urllib2 zlib
    """.split()
)

# Attributes of standard modules that Python 3 (3.13 at the latest) no longer has, and the fixer that rewrites each.
REMOVED_ATTRIBUTES: dict[str, dict[str, str]] = {
    "base64": dict.fromkeys(("decodestring", "encodestring"), ""),
    "cgi": dict.fromkeys(("escape", "parse_qs", "parse_qsl"), ""),
    "collections": dict.fromkeys(
        "Callable Container Hashable ItemsView Iterable Iterator KeysView Mapping MappingView MutableMapping "
        "MutableSequence MutableSet Sequence Set Sized ValuesView".split(),
        "",
    ),
    "fractions": {"gcd": ""},
    "gettext": {"lgettext": ""},
    "inspect": dict.fromkeys(("getargspec", "getmoduleinfo", "formatargspec"), ""),
    "itertools": dict.fromkeys(("ifilter", "ifilterfalse", "imap", "izip", "izip_longest"), "itertools"),
    "locale": {"format": ""},
    "operator": {
        **dict.fromkeys(
            ("isCallable", "isMappingType", "isNumberType", "isSequenceType", "repeat", "sequenceIncludes"), "operator"
        ),
        **dict.fromkeys(("div", "idiv", "getslice", "setslice", "delslice"), ""),
    },
    "os": {
        "getcwdu": "getcwdu",
        **dict.fromkeys(("popen2", "popen3", "popen4", "tempnam", "tmpfile", "tmpnam"), ""),
    },
    "platform": dict.fromkeys(("dist", "linux_distribution", "popen"), ""),
    "string": dict.fromkeys(
        "atof atoi atol capitalize center count expandtabs find index join joinfields letters ljust lower lowercase "
        "lstrip maketrans replace rfind rindex rjust rstrip split splitfields strip swapcase translate upper uppercase "
        "zfill".split(),
        "",
    ),
    "sys": {
        "maxint": "renames",
        "exitfunc": "exitfunc",
        **dict.fromkeys(("exc_type", "exc_value", "exc_traceback"), "sys_exc"),
        **dict.fromkeys(("exc_clear", "getcheckinterval", "setcheckinterval", "setdefaultencoding"), ""),
    },
    "time": {"clock": ""},
    "types": {
        **dict.fromkeys(
            "BooleanType BufferType ClassType ComplexType DictType DictionaryType EllipsisType FloatType IntType "
            "ListType LongType NoneType NotImplementedType ObjectType SliceType StringType StringTypes TupleType "
            "TypeType UnicodeType XRangeType".split(),
            "types",
        ),
        **dict.fromkeys(("FileType", "InstanceType", "UnboundMethodType"), ""),
    },
}


def in_python3(module: str) -> bool:
    """Whether the standard library still has the top-level `module` in every Python 3 up to 3.13."""
    return module in sys.stdlib_module_names and module not in LEAVING_MODULES
